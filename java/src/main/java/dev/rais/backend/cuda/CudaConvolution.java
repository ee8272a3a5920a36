package dev.rais.backend.cuda;

import static dev.rais.backend.cuda.CudaBuffer.at;
import static dev.rais.backend.cuda.CudaBuffer.pointer;

import dev.rais.backend.Buffer;
import dev.rais.backend.Convolution;
import dev.rais.backend.ConvolutionShape;
import dev.rais.backend.DType;
import dev.rais.backend.cuda.Dnn.Algorithm;
import dev.rais.backend.cuda.Dnn.Descriptors;
import dev.rais.backend.cuda.Dnn.Direction;
import dev.rais.backend.cuda.Dnn.MathType;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * A convolution by cuDNN. How each direction is computed is chosen at its first use, by trying all
 * algorithms that fit into the workspace, unless the {@link AlgorithmCache} knows.
 */
final class CudaConvolution extends Convolution {
  /** An algorithm, its arithmetic and the workspace that it needs. */
  private record Choice(int number, MathType mathType, long workspaceBytes) {}

  private final Device device;
  private final Dnn dnn;
  private final List<MathType> mathTypes;

  /** For each arithmetic; only the convolution's own description is another. */
  private final Map<MathType, Descriptors> descriptors = new EnumMap<>(MathType.class);

  private final int rows;
  private final AlignedOperand alignedX;
  private final AlignedOperand alignedW;
  private final AlignedOperand alignedY;

  /** Null where gradients of weights are what cuDNN computes. */
  private final RoundedGradient roundedGradient;

  private final Map<Direction, Choice> choices = new EnumMap<>(Direction.class);
  private boolean closed;

  CudaConvolution(Device device, ConvolutionShape s) {
    super(s, device.activations());
    this.device = device;
    dnn = device.dnn();
    DType type = device.activations();
    Scalar scalar = device.scalar();
    alignedX = new AlignedOperand(device, type, s.inputCount());
    alignedW = new AlignedOperand(device, type, s.weightCount());
    alignedY = new AlignedOperand(device, type, s.outputCount());
    roundedGradient = type == DType.BFLOAT16 ? new RoundedGradient(device, s.weightCount()) : null;
    rows = Math.toIntExact((long) s.batch() * s.outputHeight() * s.outputWidth());
    long x = dnn.createTensor(scalar, s.batch(), s.height(), s.width(), s.inputChannels());
    long w = dnn.createFilter(scalar, s.outputChannels(), s.kernel(), s.inputChannels());
    long y =
        dnn.createTensor(scalar, s.batch(), s.outputHeight(), s.outputWidth(), s.outputChannels());
    mathTypes = device.options.mathTypes();
    for (MathType mathType : mathTypes) {
      long convolution = dnn.createConvolution(s.padding(), s.stride(), mathType);
      descriptors.put(mathType, new Descriptors(x, w, convolution, y));
    }
    device.register(this);
  }

  @Override
  protected void doForward(Buffer x, Buffer w, Buffer b, Buffer y) {
    run(Direction.FORWARD, pointer(x), pointer(w), pointer(y));
    if (b != null) {
      device
          .kernels
          .layers()
          .biasRelu(
              device.stream(),
              rows,
              shape().outputChannels(),
              device.activationsCode(),
              at(y),
              at(b),
              0,
              at(y));
    }
  }

  @Override
  protected void doBackwardData(Buffer dy, Buffer w, Buffer dx) {
    run(Direction.BACKWARD_DATA, pointer(dx), pointer(w), pointer(dy));
  }

  @Override
  protected void doBackwardWeights(Buffer x, Buffer dy, Buffer dw, Buffer db) {
    if (roundedGradient == null) {
      run(Direction.BACKWARD_WEIGHTS, pointer(x), pointer(dw), pointer(dy));
    } else {
      run(Direction.BACKWARD_WEIGHTS, pointer(x), roundedGradient.place(), pointer(dy));
      roundedGradient.widen(dw);
    }
    if (db != null) {
      CudaLinear.columnSums(device, rows, shape().outputChannels(), dy, db);
    }
  }

  @Override
  protected void doAddExampleSquaredNorms(Buffer x, Buffer dy, Buffer squaredNorms) {
    ConvolutionShape s = shape();
    device
        .kernels
        .training()
        .convolutionGradientNorms(
            device.stream(),
            s.batch(),
            s.height(),
            s.width(),
            s.inputChannels(),
            s.outputChannels(),
            s.kernel(),
            s.stride(),
            s.padding(),
            s.bias() ? 1 : 0,
            device.activationsCode(),
            at(x),
            at(dy),
            at(squaredNorms));
  }

  private void run(Direction direction, long x, long w, long y) {
    if (closed) {
      throw new IllegalStateException("this convolution is closed");
    }
    boolean toX = direction == Direction.BACKWARD_DATA;
    boolean toW = direction == Direction.BACKWARD_WEIGHTS;
    boolean toY = direction == Direction.FORWARD;
    runAligned(direction, alignedX.begin(x, toX), alignedW.begin(w, toW), alignedY.begin(y, toY));
    alignedX.end(x, toX);
    alignedW.end(w, toW);
    alignedY.end(y, toY);
  }

  private void runAligned(Direction direction, long x, long w, long y) {
    device.dnn();
    Choice choice = choices.get(direction);
    if (choice == null) {
      choices.put(direction, runFirst(direction, x, w, y));
    } else {
      run(direction, choice, x, w, y, workspace(choice));
    }
  }

  private long workspace(Choice choice) {
    return choice.workspaceBytes() == 0 ? 0 : device.scratch(choice.workspaceBytes());
  }

  private void run(Direction direction, Choice choice, long x, long w, long y, long workspace) {
    dnn.run(
        direction,
        device.dnnHandle(),
        descriptors.get(choice.mathType()),
        choice.number(),
        x,
        w,
        y,
        workspace,
        choice.workspaceBytes());
  }

  /** Chooses, by running: what cuDNN has offered, or the file says, it may still refuse to run. */
  private Choice runFirst(Direction direction, long x, long w, long y) {
    String key = key(direction);
    Optional<Choice> known = known(direction, key);
    if (known.isPresent() && refusal(direction, known.get(), x, w, y).isEmpty()) {
      return known.get();
    } // else the file says nothing, or what cannot be: searched
    Choice choice = search(direction, x, w, y);
    device.algorithms.put(key, new AlgorithmCache.Found(choice.number(), choice.mathType().code()));
    return choice;
  }

  private Optional<Choice> known(Direction direction, String key) {
    return device
        .algorithms
        .get(key)
        .filter(found -> found.number() < direction.algorithms())
        .flatMap(
            found ->
                allowed(found.mathType())
                    .flatMap(type -> supported(direction, found.number(), type)));
  }

  /** The arithmetic of a number if it is one that may be used. */
  private Optional<MathType> allowed(int code) {
    return mathTypes.stream().filter(type -> type.code() == code).findFirst();
  }

  /** Runs; if cuDNN refuses, says why. */
  private Optional<CudaException> refusal(
      Direction direction, Choice choice, long x, long w, long y) {
    long workspace = workspace(choice);
    try {
      run(direction, choice, x, w, y, workspace);
      return Optional.empty();
    } catch (CudaException e) {
      if (e.isLost()) {
        throw e;
      }
      return Optional.of(e);
    }
  }

  private Choice search(Direction direction, long x, long w, long y) {
    // Half of what is left at most: what is allocated later needs some, too.
    long numBytes = Math.min(device.options.workspaceBytes(), device.availableMemory() / 2);
    long workspace = numBytes == 0 ? 0 : device.allocate(numBytes);
    List<Algorithm> found;
    try {
      Descriptors first = descriptors.get(mathTypes.getFirst());
      found = dnn.find(direction, device.dnnHandle(), first, x, w, y, workspace, numBytes);
    } finally {
      if (numBytes > 0) {
        device.free(workspace);
      }
    }
    IllegalStateException nothing = nothingFits(direction, numBytes, found);
    for (Choice choice : choices(direction, found, numBytes)) {
      Optional<CudaException> refusal = refusal(direction, choice, x, w, y);
      if (refusal.isEmpty()) {
        return choice;
      }
      nothing.addSuppressed(refusal.get());
    }
    throw nothing;
  }

  /**
   * What may be run, the fastest first. Each algorithm was tried in the arithmetic that was asked
   * for and in cuDNN's default one: it runs in that of the two that it was timed in, if that may be
   * used. What only another made fast may still be possible, and comes last.
   */
  private List<Choice> choices(Direction direction, List<Algorithm> found, long numBytes) {
    return found.stream()
        .filter(a -> a.deterministic() || !device.options.deterministic())
        .sorted(Comparator.comparing(a -> allowed(a.mathType()).isEmpty()))
        .flatMap(a -> choices(direction, a, numBytes))
        .toList();
  }

  private Stream<Choice> choices(Direction direction, Algorithm a, long numBytes) {
    Optional<MathType> timed = allowed(a.mathType());
    return timed.isPresent() && a.workspaceBytes() <= numBytes
        ? Stream.of(new Choice(a.number(), timed.get(), a.workspaceBytes()))
        : mathTypes.stream().flatMap(type -> supported(direction, a.number(), type).stream());
  }

  /** The algorithm if it can do this convolution in an arithmetic, in bounds. */
  private Optional<Choice> supported(Direction direction, int algorithm, MathType type) {
    try {
      long numBytes =
          dnn.workspaceBytes(direction, device.dnnHandle(), descriptors.get(type), algorithm);
      return numBytes <= device.options.workspaceBytes()
          ? Optional.of(new Choice(algorithm, type, numBytes))
          : Optional.empty();
    } catch (CudaException e) {
      return Optional.empty();
    }
  }

  private IllegalStateException nothingFits(Direction direction, long numBytes, List<?> found) {
    return new IllegalStateException(
        ("cuDNN has no%s algorithm that computes %s of %s in %d MiB of workspace (%d others work);"
                + " -D%s=MIB gives more, -D%s=false allows all")
            .formatted(
                device.options.deterministic() ? " deterministic" : "",
                direction,
                shape(),
                numBytes >> 20,
                found.size(),
                CudaOptions.WORKSPACE,
                CudaOptions.DETERMINISTIC));
  }

  /** All that the choice depends on. */
  private String key(Direction direction) {
    CudaOptions options = device.options;
    return "%s %s %s %s %s %d"
        .formatted(
            direction,
            shape(),
            device.name(),
            options.precision(),
            options.deterministic() ? "deterministic" : "any",
            options.workspaceBytes())
        .replaceAll("\\s+", " ");
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      device.unregister(this);
      alignedX.close();
      alignedW.close();
      alignedY.close();
      if (roundedGradient != null) {
        roundedGradient.close();
      }
      Descriptors any = descriptors.get(mathTypes.getFirst());
      dnn.destroyTensor(any.x());
      dnn.destroyFilter(any.w());
      descriptors.values().forEach(d -> dnn.destroyConvolution(d.convolution()));
      dnn.destroyTensor(any.y());
    }
  }
}
