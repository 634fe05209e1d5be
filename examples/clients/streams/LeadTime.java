import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.URI;
import java.net.http.*;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import org.apache.avro.Schema;
import org.apache.avro.generic.*;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.state.BuiltInDslStoreSuppliers.InMemoryDslStoreSuppliers;

/**
 * A stream processor: joins what order and shipping say of an order, and tells how long it took from the one to the
 * other, on a topic of its own. Runs until it is stopped. Nobody who publishes had to know of it.
 *
 * <pre>java -cp 'target/dependency/*' LeadTime.java</pre>
 */
class LeadTime {
    static final String LEAD_TIMES = "example.lead-times";
    /** Orders that take longer are not told of: what waits to be joined is kept for so long. */
    static final Duration LONGEST = Duration.ofDays(7);
    static final Map<Integer, Schema> SCHEMAS = new ConcurrentHashMap<>();

    public static void main(String[] args) throws Exception {
        var config = new Properties();
        config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, System.getenv("FLOTILLA_KAFKA_BROKERS"));
        // The consumer group, and the beginning of the names of the topics that keep what waits to be joined.
        config.put(StreamsConfig.APPLICATION_ID_CONFIG, "example-lead-time");
        config.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        config.put(StreamsConfig.DSL_STORE_SUPPLIERS_CLASS_CONFIG, InMemoryDslStoreSuppliers.class);
        config.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1000);
        declareTopic();
        var streams = new KafkaStreams(topology(), config);
        var stopped = new CountDownLatch(1);
        streams.setStateListener((now, before) -> { if (now.hasCompletedShutdown()) stopped.countDown(); });
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
        stopped.await();
        // It stops by itself only where it cannot go on: whoever supervises it has to know.
        if (streams.state() == KafkaStreams.State.ERROR) {
            System.exit(1);
        }
    }

    /** Both topics are keyed by order and have as many partitions, so a join finds both in one place. */
    static Topology topology() {
        var builder = new StreamsBuilder();
        var placed = times(builder, "order.events", "OrderPlaced");
        var dispatched = times(builder, "shipping.events", "ShipmentDispatched");
        // An event that is delivered twice is joined twice, with the same result under the same key.
        placed.join(dispatched,
                (from, to) -> "{\"lead_time_micros\":" + (to - from) + "}",
                JoinWindows.ofTimeDifferenceWithNoGrace(LONGEST),
                StreamJoined.with(Serdes.String(), Serdes.Long(), Serdes.Long()))
            .to(LEAD_TIMES, Produced.with(Serdes.String(), Serdes.String()));
        return builder.build();
    }

    /** When a type of event occurred, by the order that it is about. */
    static KStream<String, Long> times(StreamsBuilder builder, String topic, String type) {
        Deserializer<GenericRecord> events = (from, value) -> decode(value);
        Serializer<GenericRecord> none = (to, value) -> { throw new UnsupportedOperationException(); };
        return builder.stream(topic, Consumed.with(Serdes.String(), Serdes.serdeFrom(none, events)))
            .filter((order, event) -> event.getSchema().getName().equals(type))
            .mapValues(event -> (Long) event.get("occurred_at"));
    }

    /** The first byte is zero, the next four are the schema's id at the registry. */
    static GenericRecord decode(byte[] value) {
        try {
            var schema = SCHEMAS.computeIfAbsent(ByteBuffer.wrap(value, 1, 4).getInt(), LeadTime::schema);
            var decoder = DecoderFactory.get().binaryDecoder(value, 5, value.length - 5, null);
            return new GenericDatumReader<GenericRecord>(schema).read(null, decoder);
        } catch (java.io.IOException error) {
            throw new java.io.UncheckedIOException(error);
        }
    }

    static Schema schema(int id) {
        try {
            var uri = URI.create(System.getenv("FLOTILLA_REGISTRY_URL") + "/schemas/ids/" + id);
            var answer = HttpClient.newHttpClient()
                .send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString());
            if (answer.statusCode() != 200) throw new IllegalStateException(uri + ": " + answer.body());
            return new Schema.Parser().parse(new ObjectMapper().readTree(answer.body()).get("schema").asText());
        } catch (java.io.IOException | InterruptedException error) {
            throw new IllegalStateException("the registry does not say what schema " + id + " is", error);
        }
    }

    /** The fleet's Kafka makes no topic because somebody writes to it. */
    static void declareTopic() throws Exception {
        var brokers = Map.<String, Object>of("bootstrap.servers", System.getenv("FLOTILLA_KAFKA_BROKERS"));
        try (var admin = Admin.create(brokers)) {
            var topic = new NewTopic(LEAD_TIMES, Optional.of(3), Optional.empty());
            admin.createTopics(List.of(topic.configs(Map.of("cleanup.policy", "compact")))).all().get();
        } catch (ExecutionException error) {
            if (!(error.getCause() instanceof TopicExistsException)) throw error;
        }
    }
}
