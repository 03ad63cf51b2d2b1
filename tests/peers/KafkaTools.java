// Runs Kafka's own tools, all in one JVM: a script that starts one for each takes seconds for each.
//
// usage: KafkaTools     standard input has a line for each call, as one types it: kafka-acls.sh or kafka-topics.sh, and its arguments
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Arrays;
import org.apache.kafka.common.utils.Exit;
import org.apache.kafka.tools.AclCommand;
import org.apache.kafka.tools.TopicCommand;

public class KafkaTools {
  static class Failed extends RuntimeException {}

  static void run(String line) throws Exception {
    String[] words = line.trim().replace("'", "").split(" +");
    String[] arguments = Arrays.copyOfRange(words, 1, words.length);
    switch (words[0]) {
      case "kafka-acls.sh" -> AclCommand.main(arguments);
      case "kafka-topics.sh" -> TopicCommand.main(arguments);
      default -> throw new Failed();
    }
  }

  public static void main(String[] arguments) throws Exception {
    Exit.setExitProcedure((status, message) -> {
      if (status != 0) throw new Failed();
    });
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      try {
        run(line);
      } catch (Failed failed) {
        System.err.println("refused: " + line);
        System.exit(1);
      }
    }
    System.exit(0);
  }
}
