package rehearsal;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Base64;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.UUID;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** What functions use of libraries: this class is in a jar. */
public final class Part {
    private static final Pattern WORD = Pattern.compile("([a-z]+)\\s*(\\d*)");

    private int count;

    public int getCount() {
        return count;
    }

    public void setCount(int count) {
        this.count = count;
    }

    public String described(Collection<String> names) {
        List<String> all = names.stream()
                .map(String::trim)
                .filter(name -> !name.isEmpty())
                .sorted(Comparator.reverseOrder())
                .collect(Collectors.toList());
        IntStream.range(0, 2).mapToObj(Integer::valueOf).forEach(number -> count += number);
        names.stream().collect(Collectors.groupingBy(String::length));
        names.stream().collect(Collectors.toMap(Function.identity(), String::length));
        return String.format("%d %.2f %5s: %s", count, 1.5, "a", String.join(",", all));
    }

    /** Times, numbers by chance, digests, patterns. */
    public static String signed(String text) throws NoSuchAlgorithmException {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        byte[] sum = digest.digest(text.getBytes(StandardCharsets.UTF_8));
        Matcher matcher = WORD.matcher(text);
        String word = matcher.find() ? matcher.group(1) : text.replaceAll("[^a-z]", "_");
        return String.join(
                " ",
                Base64.getEncoder().encodeToString(sum),
                UUID.randomUUID().toString(),
                Instant.now().toString(),
                LocalDate.now().toString(),
                ZonedDateTime.now().format(DateTimeFormatter.ISO_OFFSET_DATE_TIME),
                word.split(",")[0]);
    }
}
