package dev.rais.data;

import java.util.List;

/**
 * What an import came to.
 *
 * @param data the data set
 * @param resized images that had another size
 * @param skipped why each image that is left out could not be used, beginning with its name
 */
public record ImportReport(Dataset data, int resized, List<String> skipped) {}
