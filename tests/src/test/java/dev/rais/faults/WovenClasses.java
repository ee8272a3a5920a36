package dev.rais.faults;

import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_void;

import java.io.IOException;
import java.io.InputStream;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.CodeElement;
import java.lang.classfile.CodeTransform;
import java.lang.classfile.MethodModel;
import java.lang.classfile.MethodTransform;
import java.lang.classfile.instruction.InvokeDynamicInstruction;
import java.lang.classfile.instruction.InvokeInstruction;
import java.lang.classfile.instruction.LineNumber;
import java.lang.classfile.instruction.NewMultiArrayInstruction;
import java.lang.classfile.instruction.NewObjectInstruction;
import java.lang.classfile.instruction.NewPrimitiveArrayInstruction;
import java.lang.classfile.instruction.NewReferenceArrayInstruction;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;
import java.util.Set;

/** Loads RAIS's classes anew with calls of {@link Faults} woven in. */
final class WovenClasses extends ClassLoader {
  private static final String PACKAGES = "dev.rais.";
  private static final String OURS = "dev.rais.faults.";
  private static final ClassDesc FAULTS = ClassDesc.of(Faults.class.getName());
  private static final String ARENA = "java/lang/foreign/Arena";
  private static final String DNN = "dev/rais/backend/cpu/Dnn";
  private static final String LARGE_PAGES = "dev/rais/backend/cpu/LargePages";
  private static final Set<String> ARENAS = Set.of("ofShared", "ofConfined", "ofAuto");
  private static final MethodTypeDesc ALLOCATING = MethodTypeDesc.of(CD_void, CD_int);
  private static final MethodTypeDesc STATUS =
      MethodTypeDesc.of(CD_int, ConstantDescs.CD_String, CD_int);

  WovenClasses() {
    super(WovenClasses.class.getClassLoader());
  }

  @Override
  protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
    if (!name.startsWith(PACKAGES) || name.startsWith(OURS)) {
      return super.loadClass(name, resolve);
    }
    synchronized (getClassLoadingLock(name)) {
      Class<?> loaded = findLoadedClass(name);
      return loaded == null ? define(name) : loaded;
    }
  }

  private Class<?> define(String name) throws ClassNotFoundException {
    try (InputStream in = getResourceAsStream(name.replace('.', '/') + ".class")) {
      if (in == null) {
        throw new ClassNotFoundException(name);
      }
      byte[] woven = weave(in.readAllBytes());
      return defineClass(name, woven, 0, woven.length);
    } catch (IOException e) {
      throw new ClassNotFoundException(name, e);
    }
  }

  private static byte[] weave(byte[] bytes) {
    ClassFile file = ClassFile.of();
    ClassModel model = file.parse(bytes);
    String owner = model.thisClass().asInternalName();
    ClassTransform transform =
        (builder, element) -> {
          if (element instanceof MethodModel method) {
            String name = owner + "." + method.methodName().stringValue();
            builder.transformMethod(
                method, MethodTransform.transformingCode(new Weaver(owner, name)));
          } else {
            builder.with(element);
          }
        };
    return file.transformClass(model, transform);
  }

  /** Weaves into one method. */
  private static final class Weaver implements CodeTransform {
    private final String owner;
    private final String method;
    private int line;
    private int made;

    Weaver(String owner, String method) {
      this.owner = owner;
      this.method = method;
    }

    @Override
    public void accept(CodeBuilder code, CodeElement element) {
      switch (element) {
        case LineNumber number -> line = number.line();
        case NewObjectInstruction made -> allocating(code);
        case NewPrimitiveArrayInstruction made -> allocating(code);
        case NewReferenceArrayInstruction made -> allocating(code);
        case NewMultiArrayInstruction made -> allocating(code);
        case InvokeDynamicInstruction made -> allocating(code);
        case InvokeInstruction call when isArena(call) || isLarge(call) -> {
          code.invokestatic(FAULTS, call.name().stringValue(), call.typeSymbol());
          return;
        }
        case InvokeInstruction call when isCheck(call) ->
            code.dup2().invokestatic(FAULTS, "status", STATUS).swap().pop();
        default -> {}
      }
      code.with(element);
    }

    private void allocating(CodeBuilder code) {
      int site = Faults.site("%s:%d#%d".formatted(method, line, made++));
      code.loadConstant(site).invokestatic(FAULTS, "allocating", ALLOCATING);
    }

    private static boolean isArena(InvokeInstruction call) {
      return call.owner().asInternalName().equals(ARENA)
          && ARENAS.contains(call.name().stringValue());
    }

    /** What is large may fail as any memory may. */
    private boolean isLarge(InvokeInstruction call) {
      return !owner.equals(LARGE_PAGES)
          && call.owner().asInternalName().equals(LARGE_PAGES)
          && call.name().equalsString("allocate");
    }

    private boolean isCheck(InvokeInstruction call) {
      return owner.equals(DNN)
          && call.owner().asInternalName().equals(DNN)
          && call.name().equalsString("check");
    }
  }
}
