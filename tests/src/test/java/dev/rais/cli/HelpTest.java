package dev.rais.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.nn.Models;
import dev.rais.nn.Schedule;
import dev.rais.train.Samplers;
import dev.rais.train.TrainingConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import picocli.CommandLine;
import picocli.CommandLine.Model.OptionSpec;

/** What the help says, and that it says everything. */
class HelpTest {
  @Test
  void theCommandAlonePrintsItsHelp() {
    Cli.Outcome alone = Cli.rais();
    assertEquals(0, alone.code());
    assertEquals(Cli.rais("--help").out(), alone.out());
    assertEquals("", alone.err());
    for (String command :
        List.of(
            "train", "compare", "report", "inspect", "eval", "predict", "model", "data",
            "doctor")) {
      assertTrue(alone.out().contains("\n  " + command + " "), command);
    }
  }

  @TestFactory
  Stream<DynamicTest> everyCommandExplainsAllItsOptions() {
    List<CommandLine> commands = new ArrayList<>();
    collect(Main.commandLine(new Console(System.out, System.err, 0)), commands);
    return commands.stream()
        .map(
            command ->
                DynamicTest.dynamicTest(
                    command.getCommandSpec().qualifiedName(), () -> explainsAllOptions(command)));
  }

  private static void collect(CommandLine command, List<CommandLine> into) {
    into.add(command);
    command.getSubcommands().values().forEach(sub -> collect(sub, into));
  }

  private static void explainsAllOptions(CommandLine command) {
    List<String> words =
        new ArrayList<>(List.of(command.getCommandSpec().qualifiedName().split(" ")));
    words.removeFirst();
    words.add("--help");
    Cli.Outcome help = Cli.rais(words.toArray(String[]::new));
    assertEquals(0, help.code(), help.toString());
    for (OptionSpec option : command.getCommandSpec().options()) {
      assertTrue(help.out().contains(option.longestName()), option.longestName());
      assertTrue(option.description().length > 0, option.longestName());
    }
    help.out()
        .lines()
        .forEach(
            line -> assertTrue(line.length() <= 80 && !line.endsWith(" "), "\"" + line + "\""));
  }

  @Test
  void trainNamesItsContractsOptions() {
    String help = Cli.rais("train", "--help").out();
    for (String option :
        List.of(
            "--data=",
            "--data-dir=",
            "--model=",
            "--augment=",
            "--padding=",
            "--cutout=",
            "--sampler=",
            "--epochs=",
            "--batch-size=",
            "--lr=",
            "--momentum=",
            "--weight-decay=",
            "--schedule=",
            "--draw=",
            "--round-fraction=",
            "--smoothing=",
            "--seed=",
            "--backend=",
            "--threads=",
            "--out=",
            "--eval-every=",
            "--report=",
            "--tensorboard=",
            "--oracle-every=",
            "--gain-max=",
            "--async",
            "--[no-]caution",
            "--class-balance",
            "--ablate=",
            "--presample=",
            "--selection-pressure=",
            "--beta=",
            "--prune-ratio=",
            "--anneal=",
            "--scale=",
            "--speed-up=",
            "--batch-norm=",
            "--json",
            "--quiet",
            "--verbose")) {
      assertTrue(help.contains(option), option);
    }
  }

  @Test
  void trainExplainsEveryNameAndDefault() {
    String help = Cli.rais("train", "--help").out();
    Samplers.names().forEach(name -> assertTrue(help.contains("\n  " + name + "  "), name));
    Models.names().forEach(name -> assertTrue(help.contains(name), name));
    Schedule.names().forEach(name -> assertTrue(help.contains(name), name));
    String text = help.replaceAll("\\s+", " ");
    TrainingConfig lenet = TrainingConfig.builder("", "lenet5", "rais").build();
    TrainingConfig mlp = TrainingConfig.builder("", "mlp", "rais").build();
    TrainingConfig resnet = TrainingConfig.builder("", "resnet8", "rais").build();
    for (String sentence :
        List.of(
            "epochs equivalent (default: " + Texts.shortest(lenet.epochs()) + ")",
            "per minibatch (default: " + lenet.batchSize() + ")",
            "rate (default: %s for lenet5, %s for mlp, %s for residual networks)"
                .formatted(
                    Texts.shortest(lenet.learningRate()),
                    Texts.shortest(mlp.learningRate()),
                    Texts.shortest(resnet.learningRate())),
            "all alike (default: " + lenet.batchNorm().id() + ")",
            "below 1 (default: " + Texts.shortest(lenet.momentum()) + ")",
            "gradient (default: " + Texts.shortest(lenet.weightDecay()) + ")",
            "constant (default: " + lenet.schedule().id() + ")",
            "follows from it (default: " + lenet.seed() + ")",
            "(default: " + Texts.shortest(lenet.roundFraction()) + ")",
            "uniform steps (default: " + Texts.shortest(lenet.gainMax()) + ")",
            "above 0 to 1 (default: " + Texts.shortest(lenet.smoothing()) + ")",
            "all norms (default: " + lenet.oracleEvery() + ")",
            "one too (default: " + Texts.shortest(lenet.evalEvery()) + ")",
            "multiple of the minibatch, 1 to 100 (default: "
                + Texts.shortest(lenet.presample())
                + ")",
            "falls to 1 (default: " + Texts.shortest(lenet.selectionPressure()) + ")",
            "selected, 0 to 100 (default: " + Texts.shortest(lenet.beta()) + ")",
            "below 1 (default: " + Texts.shortest(lenet.pruneRatio()) + ")",
            "left out, 0 to 1 (default: " + Texts.shortest(lenet.anneal()) + ")",
            "--batch-size (default: " + Texts.shortest(lenet.scale()) + ")",
            "shortened, 1 to 100 (default: " + Texts.shortest(lenet.speedUp()) + ")",
            lenet.caution() ? "(default: --caution)" : "(default: --no-caution)",
            "(default: rounds for rais, else iid)")) {
      assertTrue(text.contains(sentence), sentence);
    }
  }
}
