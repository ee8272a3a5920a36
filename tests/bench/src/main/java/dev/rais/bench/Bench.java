package dev.rais.bench;

import java.util.concurrent.Callable;

/**
 * A benchmark: a picocli command whose annotation gives its name and, as the description's first
 * line, what it measures. With {@code --json} the last line of standard output is one JSON object;
 * how the run goes is told on standard error.
 */
public interface Bench extends Callable<Integer> {}
