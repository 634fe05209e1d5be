import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.*;
import java.net.URI;
import java.net.http.*;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.*;
import org.apache.avro.Schema;
import org.apache.avro.generic.*;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.serialization.*;

/**
 * Tells the warehouse's topic that the units of an item have changed. An adjustment counts once however often it is
 * sent: after an error send it again with the same id, a UUID.
 *
 * <pre>java -cp 'target/dependency/*' Adjust.java SKU DELTA ADJUSTMENT_ID</pre>
 */
class Adjust {
    static final String TOPIC = "warehouse.stock-adjustments", TYPE = "flotilla.warehouse.v1.StockAdjusted";

    public static void main(String[] args) throws Exception {
        String sku = args[0], id = UUID.fromString(args[2]).toString();
        var now = Instant.now().truncatedTo(ChronoUnit.MICROS);
        // The fleet's topics carry several types, each under its own subject. Schemas are registered when the fleet is
        // deployed: a producer looks them up, and never changes the contract.
        var path = "/subjects/" + TOPIC + "-" + TYPE + "/versions/latest";
        var uri = URI.create(System.getenv("FLOTILLA_REGISTRY_URL") + path);
        var answer = HttpClient.newHttpClient()
            .send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() != 200) throw new IllegalStateException(uri + ": " + answer.body());
        var registered = new ObjectMapper().readTree(answer.body());
        var schema = new Schema.Parser().parse(registered.get("schema").asText());
        var event = new GenericRecordBuilder(schema).set("adjustment_id", id).set("sku", sku)
            .set("delta", Long.parseLong(args[1])).set("note", "java")
            .set("occurred_at", ChronoUnit.MICROS.between(Instant.EPOCH, now)).build();

        var value = new ByteArrayOutputStream();
        var frame = new DataOutputStream(value);
        frame.writeByte(0);
        frame.writeInt(registered.get("id").asInt());
        var encoder = EncoderFactory.get().directBinaryEncoder(value, null);
        new GenericDatumWriter<GenericRecord>(schema).write(event, encoder);

        var record = new ProducerRecord<>(TOPIC, sku, value.toByteArray());
        // Optional to the fleet, which knows an adjustment by its id; they are what other readers recognise it by.
        Map.of("ce_specversion", "1.0", "ce_source", "warehouse", "ce_id", id, "ce_type", TYPE,
            "ce_time", now.toString(), "content-type", "application/vnd.confluent.avro")
            .forEach((name, text) -> record.headers().add(name, text.getBytes(UTF_8)));
        // By default the client repeats nothing when it tries again. The fleet chooses a key's partition as it does.
        var config = Map.<String, Object>of(
            ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, System.getenv("FLOTILLA_KAFKA_BROKERS"));
        try (var producer = new KafkaProducer<>(config, new StringSerializer(), new ByteArraySerializer())) {
            var sent = producer.send(record).get(); // Throws what `send` alone would keep to itself.
            System.out.println(sent.topic() + "/" + sent.partition() + " at " + sent.offset());
        }
    }
}
