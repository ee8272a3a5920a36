package dev.rais.backend.cuda;

import dev.rais.natives.Functions;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A loaded library of kernels: {@code kernels/rais_kernels.h}, bound by hand. That header documents
 * every function and parameter; names here are its names without the prefix, in camel case.
 *
 * <p>Launchers are methods of {@link #sampling}, {@link #state}, {@link #training} and {@link
 * #layers}. They check their arguments, put kernels on a stream and return; what fails is thrown as
 * a {@link KernelException}. Pointers are {@link MemorySegment}s of which only the address is used,
 * {@link MemorySegment#NULL} for a null one: nothing can check how much memory is behind a device
 * pointer. Any thread may call.
 *
 * <p>To bind another function, add it to the list below and a method to one of the four classes.
 */
public final class Kernels {
  /** The version of the header that is bound here. */
  public static final int ABI_VERSION = 2;

  /** Type of elements: float. */
  public static final int FLOAT32 = 0;

  /** Type of elements: the upper 16 bits of a float. */
  public static final int BFLOAT16 = 1;

  /** Bit of a correctness flag: the label's logit is the largest. */
  public static final int TOP_1 = 1;

  /** Bit of a correctness flag: the label's logit is among the five largest. */
  public static final int TOP_5 = 2;

  /** What follows a batch normalisation: nothing. */
  public static final int FUSION_NONE = 0;

  /** What follows a batch normalisation: the rectifier. */
  public static final int FUSION_RELU = 1;

  /** What follows a batch normalisation: the sum with a residual and the rectifier. */
  public static final int FUSION_ADD_RELU = 2;

  /** Place among an evaluation's counts: examples. */
  public static final int COUNT_EXAMPLES = 0;

  /** Place among an evaluation's counts: examples whose label has not the largest logit. */
  public static final int COUNT_TOP_1_ERRORS = 1;

  /** Place among an evaluation's counts: examples whose label is not among the five largest. */
  public static final int COUNT_TOP_5_ERRORS = 2;

  /** Place among an evaluation's counts: losses that are not finite. */
  public static final int COUNT_NOT_FINITE = 3;

  /** How many counts of an evaluation there are. */
  public static final int COUNTS = 4;

  /** Most classes of a loss layer. */
  public static final int MAX_CLASSES = 200_000;

  /** Most leaves of a sum tree. */
  public static final int MAX_TREE_SIZE = 2_147_483_639;

  /** Most slots of one draw, update or round. */
  public static final int MAX_DRAWS = 1 << 24;

  /** Most pieces of a schedule. */
  public static final int MAX_SCHEDULE_PIECES = 65_536;

  /** The status of a call that went well. */
  static final int OK = 0;

  /**
   * A function of the header.
   *
   * @param signature as {@link Functions} reads it
   */
  record Function(String name, String signature) {
    /** Whether it puts kernels on a stream; the others only compute. */
    boolean isLauncher() {
      return signature.startsWith("i(p");
    }
  }

  /** In the header's order. */
  static final List<Function> FUNCTIONS =
      List.of(
          new Function("rais_abi_version", "i()"),
          new Function("rais_build_info", "p()"),
          new Function("rais_last_error", "p()"),
          new Function("rais_softmax_xent", "i(p iii ppi pp ff pp pp)"),
          new Function("rais_sum_tree_leaves", "l(l)"),
          new Function("rais_sum_tree_sums", "l(l)"),
          new Function("rais_sum_tree_root", "l(l)"),
          new Function("rais_sum_tree_build", "i(p l pp p)"),
          new Function("rais_sum_tree_update", "i(p l pp ipp p)"),
          new Function("rais_sum_tree_draw", "i(p l pp l lip i pp)"),
          new Function("rais_round_generate", "i(p l pp l lii p i pp)"),
          new Function("rais_round_take", "i(p i p l pp i pp)"),
          new Function("rais_epoch_take", "i(p l p l i p i p)"),
          new Function("rais_uniform_draw", "i(p l p l i p i p)"),
          new Function("rais_draw_weights", "i(p l pp l p d i pppp)"),
          new Function("rais_state_bytes", "l(iii)"),
          new Function("rais_state_offset", "l(iiii)"),
          new Function("rais_state_history_bytes", "l(l)"),
          new Function("rais_state_init", "i(p iii p)"),
          new Function("rais_state_recount", "i(p l ppp iii p)"),
          new Function("rais_state_freeze", "i(p iii p)"),
          new Function("rais_state_features", "i(p l pp iii p i pp)"),
          new Function("rais_state_observe", "i(p l ppp iii p i ppppp)"),
          new Function("rais_state_visit", "i(p l ppp iii p)"),
          new Function("rais_state_values", "i(p l pppp iii p i pp)"),
          new Function("rais_state_prepare", "i(p iii p i)"),
          new Function("rais_state_refresh", "i(p iii p)"),
          new Function("rais_state_leaves", "i(p l pppp iii pp)"),
          new Function("rais_state_apply", "i(p iii p)"),
          new Function("rais_gain_init", "i(p p)"),
          new Function("rais_gain", "i(p i ppppppp d p i pppppp i)"),
          new Function("rais_sgd_workspace_bytes", "l(l)"),
          new Function("rais_sgd", "i(p l pp ip p ff pppp)"),
          new Function("rais_gather_augment", "i(p liii pp ip pp iii lip i pp)"),
          new Function("rais_fetch_images", "i(p li pp ip ppp)"),
          new Function("rais_bias_relu", "i(p iii pp i p)"),
          new Function("rais_bias_relu_workspace_bytes", "l(iii)"),
          new Function("rais_bias_relu_backward", "i(p iii ppppp)"),
          new Function("rais_relu", "i(p l i pp)"),
          new Function("rais_relu_backward", "i(p l i ppp)"),
          new Function("rais_add", "i(p l i ppp)"),
          new Function("rais_to_bfloat16", "i(p l pp)"),
          new Function("rais_to_float32", "i(p l pp)"),
          new Function("rais_dropout", "i(p l i p f l i pp)"),
          new Function("rais_max_pool", "i(p iiiiiii ppp)"),
          new Function("rais_max_pool_backward", "i(p iiiiiii ppp)"),
          new Function("rais_global_average_pool", "i(p iiii pp)"),
          new Function("rais_global_average_pool_backward", "i(p iiii pp)"),
          new Function("rais_evaluation_counts", "i(p ii ppp i ppp)"),
          new Function("rais_row_squared_norms", "i(p iii pp)"),
          new Function("rais_batch_norm_workspace_bytes", "l(iiii)"),
          new Function("rais_batch_norm_forward", "i(p iiiii f pppppppppp f p)"),
          new Function("rais_batch_norm_forward_running", "i(p iiiii f ppppppp)"),
          new Function("rais_batch_norm_backward", "i(p iiiii ppppppppppppp)"),
          new Function("rais_batch_norm_backward_running", "i(p iiiii f pppppppppp)"),
          new Function("rais_squared_norm_workspace_bytes", "l(l)"),
          new Function("rais_squared_norm", "i(p l ppp)"),
          new Function("rais_linear_gradient_norms", "i(p iiiii ppp)"),
          new Function("rais_convolution_gradient_norms", "i(p iiiiiiiiii ppp)"));

  private final Path library;
  private final Map<String, MethodHandle> handles = new HashMap<>();
  private final MethodHandle lastError;
  private final String buildInfo;
  private final SamplingKernels sampling;
  private final StateKernels state;
  private final TrainingKernels training;
  private final LayerKernels layers;

  /**
   * Binds a library.
   *
   * @param library where it was loaded from, for messages
   * @throws KernelsUnavailableException if it is of another version or lacks a function
   */
  Kernels(Path library, SymbolLookup symbols) {
    this.library = library;
    checkVersion(symbols);
    var functions =
        new Functions(
            symbols,
            name ->
                new KernelsUnavailableException(
                    "it has no "
                        + name
                        + ", so it was built from older sources; build it again with"
                        + " native-build/build cuda"));
    for (Function f : FUNCTIONS) {
      handles.put(f.name(), functions.bind(f.name(), f.signature(), options(f)));
    }
    lastError = handle("rais_last_error");
    buildInfo = text(handle("rais_build_info"));
    sampling = new SamplingKernels(this);
    state = new StateKernels(this);
    training = new TrainingKernels(this);
    layers = new LayerKernels(this);
  }

  /**
   * What only computes, in nanoseconds, is called without the transitions that let a garbage
   * collection go on meanwhile. A launcher may wait for a place in the device's queue, so it needs
   * them.
   */
  private static Linker.Option[] options(Function function) {
    return function.isLauncher()
        ? new Linker.Option[0]
        : new Linker.Option[] {Linker.Option.critical(false)};
  }

  private static void checkVersion(SymbolLookup symbols) {
    var functions =
        new Functions(
            symbols,
            name ->
                new KernelsUnavailableException(
                    "it is no library of RAIS kernels: it has no " + name));
    int found;
    try {
      found = (int) functions.bind("rais_abi_version", "i()").invokeExact();
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
    if (found != ABI_VERSION) {
      throw new KernelsUnavailableException(
          "it has version %d of the kernels' interface, but this RAIS needs version %d; %s"
              .formatted(
                  found,
                  ABI_VERSION,
                  found < ABI_VERSION
                      ? "build it again with native-build/build cuda, or take the rais-kernels jar"
                          + " of the same version as RAIS"
                      : "take the RAIS that it was built with, or an older library"));
    }
  }

  /** The kernels that draw. */
  public SamplingKernels sampling() {
    return sampling;
  }

  /** The kernels of the sampler's state and of the gain ratio. */
  public StateKernels state() {
    return state;
  }

  /** The kernels around a network: input, loss, update, evaluation, gradient norms. */
  public TrainingKernels training() {
    return training;
  }

  /** The kernels of layers. */
  public LayerKernels layers() {
    return layers;
  }

  /** Where the library was loaded from. */
  public Path library() {
    return library;
  }

  /** What the library was built with, one line for people. */
  public String buildInfo() {
    return buildInfo;
  }

  MethodHandle handle(String name) {
    return handles.get(name);
  }

  /** Throws what the status of a call stands for, unless that is success. */
  void check(int status) {
    if (status == OK) {
      return;
    }
    KernelException.Status[] known = KernelException.Status.values();
    if (status < 0 || status > known.length) {
      throw new IllegalStateException(
          library + " returned the status " + status + ", which does not exist");
    }
    throw new KernelException(known[status - 1], text(lastError));
  }

  private static String text(MethodHandle handle) {
    try {
      return Functions.text((MemorySegment) handle.invokeExact());
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }
}
