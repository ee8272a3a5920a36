/**
 * Data sets of images with class labels: readers, where they are looked for, and how they are
 * fetched. Images are kept as unsigned bytes, [image, row, column, channel].
 */
package dev.rais.data;
