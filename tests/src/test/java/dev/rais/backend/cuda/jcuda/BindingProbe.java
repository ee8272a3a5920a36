package dev.rais.backend.cuda.jcuda;

import dev.rais.backend.cuda.Blas;
import dev.rais.backend.cuda.Blas.Product;
import dev.rais.backend.cuda.CudaDriver;
import dev.rais.backend.cuda.CudaException;
import dev.rais.backend.cuda.Dnn;
import dev.rais.backend.cuda.Scalar;
import dev.rais.backend.cuda.panama.FakeLibraries;
import dev.rais.backend.cuda.panama.PanamaBlas;
import dev.rais.backend.cuda.panama.PanamaDnn;
import dev.rais.backend.cuda.panama.PanamaDriver;
import java.lang.foreign.MemorySegment;

/**
 * A program of its own for {@link JCudaCallsTest}: calls every method of a binding, above libraries
 * that write down their calls, and prints what they return.
 */
final class BindingProbe {
  private static final MemorySegment HOST = MemorySegment.ofAddress(0x77000);

  private BindingProbe() {}

  public static void main(String[] args) {
    boolean byJCuda = args[0].equals("jcuda");
    CudaDriver driver = byJCuda ? JCudaDriver.open() : PanamaDriver.open();
    long stream = driver(driver);
    blas(byJCuda ? JCudaBlas.open((JCudaDriver) driver) : PanamaBlas.open(12_000), stream);
    dnn(byJCuda ? JCudaDnn.open((JCudaDriver) driver) : PanamaDnn.open(), stream);
    driver.destroyStream(stream);
    if (byJCuda) {
      jcuda.driver.JCudaDriver.setExceptionsEnabled(true);
    }
    fails(() -> driver.allocate(FakeLibraries.WRONG));
  }

  private static long driver(CudaDriver driver) {
    say(driver.version(), driver.deviceCount(), driver.deviceName(0), driver.computeCapability(0));
    long context = driver.retainContext(3);
    driver.useContext(context);
    long stream = driver.createStream();
    long pointer = driver.allocate(1L << 40);
    long pooled = driver.allocateOn(77, stream);
    MemorySegment host = driver.allocateHost(48);
    long event = driver.createEvent();
    say(context, stream, pointer, pooled, host.address(), host.byteSize(), event);
    say(driver.memory());
    driver.copyToDevice(pointer + 8, HOST, 24, stream);
    driver.copyToHost(HOST.asSlice(0), pointer, 1L << 33, stream);
    driver.copy(pointer, pooled, 12, stream);
    driver.fillInts(pointer, -5, 9, stream);
    driver.fill(pointer, (byte) 0xA5, 10, stream);
    driver.record(event, stream);
    driver.await(event);
    driver.beginCapture(stream);
    long graph = driver.endCapture(stream);
    long executable = driver.instantiate(graph);
    driver.launch(executable, stream);
    say(graph, executable);
    driver.destroyExecutable(executable);
    driver.destroyGraph(graph);
    driver.synchronize(stream);
    driver.destroyEvent(event);
    driver.freeHost(host);
    driver.freeOn(pooled, stream);
    driver.free(pointer);
    driver.releaseContext(3);
    fails(() -> driver.allocate(FakeLibraries.WRONG));
    return stream;
  }

  private static void blas(Blas blas, long stream) {
    say(blas.description(), blas.file(), blas.cudaVersion());
    long handle = blas.create();
    blas.setStream(handle, stream);
    blas.setWorkspace(handle, 0x4400, 1L << 35);
    blas.gemm(handle, true, false, 3, 4, 5, 0x100, 6, 0x200, 7, 0x300, 8, Product.TF32);
    blas.gemm(handle, false, true, 3, 4, 5, 0x100, 6, 0x200, 7, 0x300, 8, Product.FLOAT32);
    blas.gemm(handle, false, true, 3, 4, 5, 0x100, 6, 0x200, 7, 0x300, 8, Product.BFLOAT16);
    Product widened = Product.BFLOAT16_TO_FLOAT32;
    blas.gemm(handle, false, false, 3, 4, 5, 0x100, 6, 0x200, 7, 0x300, 8, widened);
    int wrong = FakeLibraries.WRONG;
    fails(() -> blas.gemm(handle, true, false, 3, wrong, 5, 1, 6, 2, 7, 3, 8, Product.TF32));
    blas.destroy(handle);
  }

  private static void dnn(Dnn dnn, long stream) {
    say(dnn.description(), dnn.file(), dnn.version(), dnn.cudaVersion());
    long handle = dnn.create();
    dnn.setStream(handle, stream);
    var d =
        new Dnn.Descriptors(
            dnn.createTensor(Scalar.FLOAT32, 2, 3, 4, 5),
            dnn.createFilter(Scalar.FLOAT32, 6, 7, 8),
            dnn.createConvolution(9, 10, Dnn.MathType.FLOAT32),
            dnn.createTensor(Scalar.FLOAT32, 12, 13, 14, 15));
    say(handle, d);
    for (Dnn.Direction direction : Dnn.Direction.values()) {
      say(dnn.find(direction, handle, d, 0x10, 0x20, 0x30, 0x40, 1L << 34));
      say(dnn.workspaceBytes(direction, handle, d, 4));
      dnn.run(direction, handle, d, 4, 0x10, 0x20, 0x30, 0x40, 1L << 34);
    }
    fails(() -> dnn.createTensor(Scalar.FLOAT32, FakeLibraries.WRONG, 1, 1, 1));
    dnn.destroyTensor(d.x());
    dnn.destroyFilter(d.w());
    dnn.destroyConvolution(d.convolution());
    dnn.destroyTensor(d.y());
    dnn.destroyTensor(dnn.createTensor(Scalar.BFLOAT16, 2, 3, 4, 5));
    dnn.destroyFilter(dnn.createFilter(Scalar.BFLOAT16, 6, 7, 8));
    dnn.destroyConvolution(dnn.createConvolution(9, 10, Dnn.MathType.TENSOR_CORES));
    dnn.destroy(handle);
  }

  private static void fails(Runnable call) {
    try {
      call.run();
      say("it did not fail");
    } catch (CudaException e) {
      say(e.code(), e.getMessage());
    }
  }

  private static void say(Object... values) {
    System.out.println(java.util.Arrays.toString(values));
  }
}
