import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.URI;
import java.net.http.*;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.*;
import org.apache.avro.Schema;
import org.apache.avro.generic.*;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.serialization.*;

/**
 * Prints the events of one order, or of all of them, each once: one line of JSON for each. Ends when the order has come
 * to its end, or when nothing was printed for some seconds.
 *
 * <pre>java -cp 'target/dependency/*' Consume.java [--group NAME] [--idle SECONDS] [ORDER]</pre>
 */
class Consume {
    static final List<String> TOPICS = List.of("order.events", "payment.events", "inventory.events", "shipping.events");
    static final ObjectMapper JSON = new ObjectMapper();
    static final HttpClient HTTP = HttpClient.newHttpClient();
    static final Map<Integer, Schema> SCHEMAS = new HashMap<>();

    public static void main(String[] args) throws Exception {
        var options = new HashMap<>(Map.of("--group", "example-java", "--idle", "30"));
        var words = new ArrayDeque<>(List.of(args));
        while (!words.isEmpty() && words.peek().startsWith("--")) options.put(words.pop(), words.pop());
        var order = words.peek();
        var config = Map.<String, Object>of(
            ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, System.getenv("FLOTILLA_KAFKA_BROKERS"),
            ConsumerConfig.GROUP_ID_CONFIG, options.get("--group"),
            // A new group begins with the first event; the default is "latest".
            ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest",
            // We commit what was handled. By default a timer commits what was polled.
            ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false,
            // Whoever joins or leaves stops only what moves; the default stops everybody.
            ConsumerConfig.PARTITION_ASSIGNMENT_STRATEGY_CONFIG, CooperativeStickyAssignor.class.getName());
        // Delivery is at least once. What must not happen twice belongs in one transaction with this id, in a database:
        // this set ends with the process.
        var seen = new HashSet<List<String>>();
        // Where the topics ended when the order did. Topics are not ordered among each other: order's last event may be
        // read before payment's, though it was published after them.
        Map<TopicPartition, Long> ends = null;
        long idle = Duration.ofSeconds(Long.parseLong(options.get("--idle"))).toNanos(), last = System.nanoTime();
        try (var consumer = new KafkaConsumer<>(config, new StringDeserializer(), new ByteArrayDeserializer())) {
            // Partitions move only within `poll`, when everything that was polled before is handled.
            consumer.subscribe(TOPICS, new ConsumerRebalanceListener() {
                public void onPartitionsAssigned(Collection<TopicPartition> partitions) {}
                public void onPartitionsRevoked(Collection<TopicPartition> partitions) { consumer.commitSync(); }
                // Another member has them already: a commit would be refused.
                public void onPartitionsLost(Collection<TopicPartition> partitions) {}
            });
            while (System.nanoTime() - last < idle && !isAtEnd(consumer, ends)) {
                for (var record : consumer.poll(Duration.ofMillis(200))) {
                    var headers = new HashMap<String, String>();
                    record.headers().forEach(header -> headers.put(header.key(), new String(header.value(), UTF_8)));
                    if (order != null && !order.equals(record.key())) continue;
                    if (!seen.add(List.of(headers.get("ce_source"), headers.get("ce_id")))) continue;
                    var line = JSON.createObjectNode().put("topic", record.topic())
                        .put("partition", record.partition()).put("offset", record.offset());
                    for (var name : List.of("type", "source", "id", "sequence", "time"))
                        line.put(name, headers.get("ce_" + name));
                    line.set("data", JSON.readTree(decode(record.value()).toString()));
                    System.out.println(line);
                    last = System.nanoTime();
                    if (order != null && line.get("type").asText().matches(".*[.]Order(Completed|Compensated)"))
                        ends = consumer.endOffsets(consumer.assignment());
                }
                try {
                    consumer.commitSync();
                } catch (RebalanceInProgressException moving) {
                    // Partitions are about to move. The next `poll` completes that, and the listener commits.
                }
            }
        }
    }

    static boolean isAtEnd(Consumer<?, ?> consumer, Map<TopicPartition, Long> ends) {
        return ends != null && consumer.assignment().stream().allMatch(
            partition -> consumer.position(partition) >= ends.getOrDefault(partition, 0L));
    }

    /** The first byte is zero, the next four are the schema's id at the registry. */
    static GenericRecord decode(byte[] value) throws Exception {
        int id = ByteBuffer.wrap(value, 1, 4).getInt();
        if (!SCHEMAS.containsKey(id)) {
            var uri = URI.create(System.getenv("FLOTILLA_REGISTRY_URL") + "/schemas/ids/" + id);
            var answer = HTTP.send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString());
            if (answer.statusCode() != 200) throw new IllegalStateException(uri + ": " + answer.body());
            SCHEMAS.put(id, new Schema.Parser().parse(JSON.readTree(answer.body()).get("schema").asText()));
        }
        var decoder = DecoderFactory.get().binaryDecoder(value, 5, value.length - 5, null);
        return new GenericDatumReader<GenericRecord>(SCHEMAS.get(id)).read(null, decoder);
    }
}
