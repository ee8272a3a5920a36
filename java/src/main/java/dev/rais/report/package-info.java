/**
 * What runs show: comparisons of samplers under the same conditions, the report with its plots, and
 * a look at what a run drew. Everything is computed from the files of runs, so that a report can be
 * made again at any time.
 */
package dev.rais.report;
