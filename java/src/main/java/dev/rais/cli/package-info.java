/**
 * The command line {@code rais}: reads options, calls the library, shows what comes of it.
 *
 * <p>Results go to standard output, everything else to standard error. Exit codes: 0 done, 1
 * failed, 2 used wrongly; a failure is one sentence, with a stack trace only under {@code
 * --verbose}.
 */
package dev.rais.cli;
