// Wrote the files beside it with Apache Kafka 4.3.1's own classes and their default levels, once. Run with the jars of
// tests/peers/fetch kafka4 (jars=$(tests/peers/fetch kafka4)): java -cp "$jars/*" WriteCompressed.java FOLDER
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.common.utils.ByteBufferOutputStream;

public class WriteCompressed {
  static void write(Path file, ByteBuffer bytes) throws Exception {
    StringBuilder text = new StringBuilder("# Written by Apache Kafka 4.3.1: see WriteCompressed.java. Never rewritten.\n");
    for (int i = 1; bytes.hasRemaining(); ++i) text.append(String.format("%02x%s", bytes.get(), i % 60 == 0 ? "\n" : ""));
    Files.writeString(file, text.toString().strip() + "\n");
  }

  static ByteBuffer compressed(Compression codec, byte[] input) throws Exception {
    ByteBufferOutputStream out = new ByteBufferOutputStream(1024);
    try (var stream = codec.wrapForOutput(out, (byte) 2)) {
      stream.write(input);
    }
    return out.buffer().flip();
  }

  public static void main(String[] arguments) throws Exception {
    Path folder = Path.of(arguments[0]);
    StringBuilder text = new StringBuilder();
    SimpleRecord[] records = new SimpleRecord[20];
    for (int i = 0; i < 20; ++i) {
      String key = "visit-" + i % 4, value = "saw /shop/item-" + i * 7919 % 100;
      text.append(key + " " + value + "\n");
      Header[] headers = {new RecordHeader("l.t", "Seen".getBytes())};
      records[i] = new SimpleRecord(1700000000000L + i, key.getBytes(), value.getBytes(), headers);
    }
    byte[] run = new byte[70000];
    Arrays.fill(run, (byte) 'x');
    for (CompressionType type : List.of(CompressionType.GZIP, CompressionType.SNAPPY, CompressionType.LZ4, CompressionType.ZSTD)) {
      Compression codec = Compression.of(type).build();
      write(folder.resolve(type.name + "_text.hex"), compressed(codec, text.toString().getBytes(StandardCharsets.US_ASCII)));
      write(folder.resolve(type.name + "_run.hex"), compressed(codec, run));
      write(folder.resolve(type.name + "_batch.hex"), MemoryRecords.withRecords((byte) 2, 258, codec, TimestampType.CREATE_TIME,
          -1, (short) -1, -1, 3, false, records).buffer());
    }
  }
}
