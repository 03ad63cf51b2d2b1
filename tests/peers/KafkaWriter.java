// Writes the topics of kafka_directory_test.py to a broker: what a user of Kafka may have in a data directory.
//
// usage: KafkaWriter BROKER TOPIC...    makes and fills the topics; each name is one of those below
//
//   plain          two partitions, several segments, keys, headers, nulls
//   compacted      few keys, so that the cleaner leaves holes; returns when it has been there
//   transactions   committed and aborted ones, and records between them
//   trimmed        its first records deleted, inside a segment
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class KafkaWriter {
  static final int SEGMENT_BYTES = 1 << 20; // the least that Kafka 4 takes
  static final long FIRST_TIME = 1_700_000_000_000L;
  static String broker;

  static byte[] bytes(String text) {
    return text == null ? null : text.getBytes(StandardCharsets.UTF_8);
  }

  static void create(String name, int partitions, Map<String, String> more) throws Exception {
    Map<String, String> configs = new java.util.HashMap<>(more);
    configs.put("segment.bytes", Integer.toString(SEGMENT_BYTES));
    configs.put("message.timestamp.before.max.ms", Long.toString(Long.MAX_VALUE));
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", broker))) {
      admin.createTopics(List.of(new NewTopic(name, partitions, (short) 1).configs(configs))).all().get();
    }
  }

  static KafkaProducer<byte[], byte[]> producer(String transactions) {
    Map<String, Object> configs = new java.util.HashMap<>();
    configs.put("bootstrap.servers", broker);
    configs.put("linger.ms", 5);
    configs.put("batch.size", 16384);
    configs.put("compression.type", System.getProperty("codec", "none"));
    if (transactions != null) configs.put("transactional.id", transactions);
    return new KafkaProducer<>(configs, new ByteArraySerializer(), new ByteArraySerializer());
  }

  static ProducerRecord<byte[], byte[]> record(String topic, int partition, int number, String key, String value) {
    ProducerRecord<byte[], byte[]> record =
        new ProducerRecord<>(topic, partition, FIRST_TIME + number * 7L % 1000 * 60, bytes(key), bytes(value));
    for (int i = 0; i < number % 3; ++i) record.headers().add("h" + i, i == 1 ? null : bytes("header " + number));
    return record;
  }

  static String padding(int number) {
    return "v".repeat(number * 37 % 400);
  }

  static void plain() throws Exception {
    create("plain", 2, Map.of());
    try (KafkaProducer<byte[], byte[]> producer = producer(null)) {
      for (int i = 0; i < 24000; ++i) {
        String key = i % 11 == 0 ? null : "key-" + i;
        String value = i % 13 == 0 ? null : "value " + i + " " + padding(i);
        producer.send(record("plain", i % 2, i, key, value));
      }
    }
  }

  static void compacted() throws Exception {
    create("compacted", 1, Map.of("cleanup.policy", "compact", "min.cleanable.dirty.ratio", "0.001", "delete.retention.ms", "0"));
    try (KafkaProducer<byte[], byte[]> producer = producer(null)) {
      // First keys that stay, spread among those that are written again: holes inside batches and between them.
      for (int i = 0; i < 16000; ++i) {
        String key = i % 97 == 0 ? "once-" + i : "again-" + i % 50;
        producer.send(record("compacted", 0, i, key, i % 1000 == 7 ? null : "value " + i + " " + padding(i)));
      }
    }
  }

  static void transactions() throws Exception {
    create("transactions", 1, Map.of());
    try (KafkaProducer<byte[], byte[]> producer = producer("writer"); KafkaProducer<byte[], byte[]> beside = producer(null)) {
      producer.initTransactions();
      for (int round = 0; round < 40; ++round) {
        producer.beginTransaction();
        for (int i = 0; i < 200; ++i) producer.send(record("transactions", 0, i, "key-" + i, "round " + round + " " + padding(i)));
        producer.flush();
        beside.send(record("transactions", 0, round, "beside", "in none")).get();
        if (round % 3 == 1) {
          producer.abortTransaction();
        } else {
          producer.commitTransaction();
        }
      }
    }
  }

  static void trimmed() throws Exception {
    create("trimmed", 1, Map.of());
    try (KafkaProducer<byte[], byte[]> producer = producer(null)) {
      for (int i = 0; i < 1000; ++i) producer.send(record("trimmed", 0, i, "key-" + i, "value " + i));
    }
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", broker))) {
      admin.deleteRecords(Map.of(new TopicPartition("trimmed", 0), RecordsToDelete.beforeOffset(123))).all().get();
    }
  }

  public static void main(String[] arguments) throws Exception {
    broker = arguments[0];
    for (int i = 1; i < arguments.length; ++i) {
      switch (arguments[i]) {
        case "plain" -> plain();
        case "compacted" -> compacted();
        case "transactions" -> transactions();
        case "trimmed" -> trimmed();
        default -> throw new IllegalArgumentException(arguments[i]);
      }
    }
  }
}
