package dev.rais.backend.cuda;

import static dev.rais.backend.cuda.CudaBuffer.at;
import static dev.rais.backend.cuda.CudaBuffer.pointer;

import dev.rais.backend.Buffer;
import dev.rais.backend.Convolution;
import dev.rais.backend.ConvolutionShape;
import dev.rais.backend.DType;
import dev.rais.backend.cuda.Dnn.Algorithm;
import dev.rais.backend.cuda.Dnn.Direction;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A convolution by cuDNN. How each direction is computed is chosen at its first use, by trying all
 * algorithms that fit into the workspace, unless the {@link AlgorithmCache} knows.
 */
final class CudaConvolution extends Convolution {
  /** An algorithm and the workspace that it needs. */
  private record Choice(int number, long workspaceBytes) {}

  private final Device device;
  private final Dnn dnn;
  private final Dnn.Descriptors descriptors;
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
    descriptors =
        new Dnn.Descriptors(
            dnn.createTensor(scalar, s.batch(), s.height(), s.width(), s.inputChannels()),
            dnn.createFilter(scalar, s.outputChannels(), s.kernel(), s.inputChannels()),
            dnn.createConvolution(s.padding(), s.stride(), device.options.mathType()),
            dnn.createTensor(
                scalar, s.batch(), s.outputHeight(), s.outputWidth(), s.outputChannels()));
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
      choice = choose(direction, x, w, y);
      choices.put(direction, choice);
    }
    dnn.run(
        direction,
        device.dnnHandle(),
        descriptors,
        choice.number(),
        x,
        w,
        y,
        choice.workspaceBytes() == 0 ? 0 : device.scratch(choice.workspaceBytes()),
        choice.workspaceBytes());
  }

  private Choice choose(Direction direction, long x, long w, long y) {
    String key = key(direction);
    OptionalInt known = device.algorithms.get(key);
    if (known.isPresent() && known.getAsInt() < direction.algorithms()) {
      Optional<Choice> choice = supported(direction, known.getAsInt());
      if (choice.isPresent()) {
        return choice.get();
      } // else the file says what cannot be: searched anew
    }
    // Half of what is left at most: what is allocated later needs some, too.
    long numBytes = Math.min(device.options.workspaceBytes(), device.availableMemory() / 2);
    long workspace = numBytes == 0 ? 0 : device.allocate(numBytes);
    List<Algorithm> found;
    try {
      found = dnn.find(direction, device.dnnHandle(), descriptors, x, w, y, workspace, numBytes);
    } finally {
      if (numBytes > 0) {
        device.free(workspace);
      }
    }
    // Each was tried in the arithmetic that was asked for and in cuDNN's default one; what only
    // the latter made fast may still be possible in the former, which is all that is ever run.
    int mathType = device.options.mathType().code();
    Choice best =
        found.stream()
            .filter(a -> a.deterministic() || !device.options.deterministic())
            .sorted(Comparator.comparing(a -> a.mathType() != mathType))
            .map(
                a ->
                    a.mathType() == mathType && a.workspaceBytes() <= numBytes
                        ? Optional.of(new Choice(a.number(), a.workspaceBytes()))
                        : supported(direction, a.number()))
            .flatMap(Optional::stream)
            .findFirst()
            .orElseThrow(() -> nothingFits(direction, numBytes, found));
    device.algorithms.put(key, best.number());
    return best;
  }

  /** The algorithm if it can do this convolution, with the descriptor's arithmetic, in bounds. */
  private Optional<Choice> supported(Direction direction, int algorithm) {
    try {
      long numBytes = dnn.workspaceBytes(direction, device.dnnHandle(), descriptors, algorithm);
      return numBytes <= device.options.workspaceBytes()
          ? Optional.of(new Choice(algorithm, numBytes))
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
      dnn.destroyTensor(descriptors.x());
      dnn.destroyFilter(descriptors.w());
      dnn.destroyConvolution(descriptors.convolution());
      dnn.destroyTensor(descriptors.y());
    }
  }
}
