/** Checks of the input of a submission. */
import { ExperimentInputErrors, type InputFault } from '@rhizome/experiment';
import { plannedNodes } from './graph/planned-nodes.js';
import type { RubinLabelInput, RubinQuantumInput, SubmitRubinWorkflowInput } from './types.generated.js';
import { maxQuanta } from './workflow.document.js';

type Errors = ExperimentInputErrors<'GRAPH_CIRCULAR'>;

const maxNeedsInAll = 200_000;
/** Labels with entries of their own at most. */
const maxLabels = 200;
/** Labels of quanta at most, as in core. */
const maxUsedLabels = 500;
const maxDimensions = 32;
/** Arguments of a job, as in core. */
const maxArguments = 1000;
const maxArgumentBytes = 128 * 1024;
/** Programs and arguments of all jobs together. */
const maxPayloadBytes = 64 * 1024 * 1024;

/** Everything that is wrong with an input; nothing, if it is well-formed. */
export function checkWorkflow(
  input: SubmitRubinWorkflowInput,
): readonly InputFault<'INVALID_VALUE' | 'GRAPH_CIRCULAR'>[] {
  const check: Errors = new ExperimentInputErrors<'GRAPH_CIRCULAR'>();
  check.usual(input);
  check.text(['name'], input.name, 1, 127);
  check.text(['pipeline'], input.pipeline, 1, 63);
  if (input.release != null) check.text(['release'], input.release, 1, 255);
  check.program(['command'], input.command);
  check.programArguments(['arguments'], input.arguments ?? []);
  checkFinalJob(input, check);
  check.list(['quanta'], input.quanta, maxQuanta, 1);
  if (input.quanta.length <= maxQuanta) checkQuanta(input.quanta, check);
  checkLabels(input, check);
  if (check.isEmpty) checkOrder(input, check);
  return check.faults;
}

/** The data id of a quantum as text. */
export function dataIdOf({ dataId, dimensions }: Pick<RubinQuantumInput, 'dataId' | 'dimensions'>): string {
  return dataId ?? (dimensions ?? []).map(({ dimension, value }) => `${dimension}=${value}`).join(', ');
}

function checkFinalJob({ finalJob }: SubmitRubinWorkflowInput, check: Errors): void {
  if (!finalJob) return;
  check.program(['finalJob', 'command'], finalJob.command);
  check.programArguments(['finalJob', 'arguments'], finalJob.arguments ?? []);
  const { memoryMiB, walltimeSeconds } = finalJob;
  check.resources(['finalJob'], { memoryMiB, walltimeSeconds });
}

function checkLabels({ labels, quanta, memoryMiB }: SubmitRubinWorkflowInput, check: Errors): void {
  const given = labels ?? [];
  check.list(['labels'], given, maxLabels);
  const used = new Map<string, RubinQuantumInput[]>();
  for (const quantum of quanta) {
    const ofLabel = used.get(quantum.label);
    if (ofLabel) ofLabel.push(quantum);
    else used.set(quantum.label, [quantum]);
  }
  if (used.size > maxUsedLabels)
    check.add(['quanta'], `${used.size} labels`, `at most ${maxUsedLabels} labels`);
  const seen = new Set<string>();
  given.slice(0, maxLabels).forEach((entry, position) => {
    const path = ['labels', position];
    if (!used.has(entry.label))
      check.add([...path, 'label'], entry.label, 'a label that a quantum of this workflow has');
    if (seen.has(entry.label)) check.add([...path, 'label'], entry.label, 'a label that no other entry has');
    seen.add(entry.label);
    check.resources(path, entry);
    checkJobsOfLabel(path, entry, check);
    checkGrowth(path, { ...entry, memoryMiB: entry.memoryMiB ?? memoryMiB ?? 4000 }, check);
    checkDimensions(path, entry, used.get(entry.label) ?? [], check);
  });
}

function checkJobsOfLabel(path: (string | number)[], entry: RubinLabelInput, check: Errors): void {
  check.int([...path, 'maxAttempts'], entry.maxAttempts, 1, 20);
  check.number([...path, 'memoryFactor'], entry.memoryFactor, { min: 1.01, max: 10 });
  check.int([...path, 'maxMemoryMiB'], entry.maxMemoryMiB, 1, 16_777_216);
  if (entry.maxMemoryMiB != null && entry.memoryFactor == null)
    check.add([...path, 'maxMemoryMiB'], entry.maxMemoryMiB, 'absent without a `memoryFactor`');
  check.int([...path, 'quantaPerJob'], entry.quantaPerJob, 1, 500);
  check.distinct([...path, 'clusterBy'], entry.clusterBy ?? [], maxDimensions);
}

/** Memory that is to grow must be able to. */
function checkGrowth(path: (string | number)[], entry: RubinLabelInput, check: Errors): void {
  const { memoryFactor, maxAttempts, memoryMiB, maxMemoryMiB } = entry;
  if (memoryFactor == null) return;
  if (maxAttempts === 1)
    check.add([...path, 'maxAttempts'], maxAttempts, 'more than 1 if there is a `memoryFactor`');
  if (maxMemoryMiB != null && memoryMiB != null && maxMemoryMiB >= 1 && maxMemoryMiB <= memoryMiB)
    check.add([...path, 'maxMemoryMiB'], maxMemoryMiB, `more than the memory to start with, ${memoryMiB}`);
}

/** Quanta without one of the dimensions would all share jobs. */
function checkDimensions(
  path: (string | number)[],
  { clusterBy }: RubinLabelInput,
  ofLabel: readonly RubinQuantumInput[],
  check: Errors,
): void {
  (clusterBy ?? []).slice(0, maxDimensions).forEach((name, index) => {
    const without = ofLabel.find(
      ({ dimensions }) => !(dimensions ?? []).some(({ dimension }) => dimension === name),
    );
    if (!without) return;
    const wanted = `a dimension of all quanta of the label; "${without.name}" has none of this name`;
    check.add([...path, 'clusterBy', index], name, wanted);
  });
}

function checkQuanta(quanta: readonly RubinQuantumInput[], check: Errors): void {
  const names = new Set(quanta.map(({ name }) => name));
  const seen = new Set<string>();
  let needed = 0;
  quanta.forEach(({ name, label, needs, ...data }, position) => {
    const path = ['quanta', position];
    check.form([...path, 'name'], name, /^[A-Za-z0-9_.-]{1,127}$/, '1 to 127 letters, digits, `_`, `-`, `.`');
    if (seen.has(name)) check.add([...path, 'name'], name, 'a name that no other quantum has');
    seen.add(name);
    check.form(
      [...path, 'label'],
      label,
      /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/,
      '1 to 63 letters, digits, `_`, `-`, `.`, beginning with a letter or digit',
    );
    checkDataId(path, data, check);
    check.list([...path, 'needs'], needs ?? [], maxQuanta);
    check.distinct([...path, 'needs'], needs ?? []);
    needed += needs?.length ?? 0;
    (needs ?? []).forEach((need, index) => {
      if (!names.has(need))
        check.add([...path, 'needs', index], need, 'the name of a quantum of this workflow');
    });
  });
  if (needed > maxNeedsInAll)
    check.add(['quanta'], `${needed} needs`, `at most ${maxNeedsInAll} needs in all`);
}

function checkDataId(
  path: (string | number)[],
  data: Pick<RubinQuantumInput, 'dataId' | 'dimensions'>,
  check: Errors,
): void {
  const dimensions = data.dimensions ?? [];
  check.list([...path, 'dimensions'], dimensions, maxDimensions);
  dimensions.slice(0, maxDimensions).forEach(({ dimension, value }, index) => {
    const at = [...path, 'dimensions', index];
    check.form(
      [...at, 'dimension'],
      dimension,
      /^[A-Za-z][A-Za-z0-9_]{0,62}$/,
      '1 to 63 letters, digits, `_`, beginning with a letter',
    );
    check.form([...at, 'value'], value, /^[^,=\p{Cc}]{1,127}$/u, '1 to 127 characters without `,` and `=`');
  });
  check.distinct(
    [...path, 'dimensions'],
    dimensions.map(({ dimension }) => dimension),
  );
  check.text([...path, 'dataId'], dataIdOf(data), 1, 1024);
}

/** Checks that nothing needs itself, neither quanta nor their clusters, and what jobs become of them. */
function checkOrder({ quanta, labels, ...input }: SubmitRubinWorkflowInput, check: Errors): void {
  const planned = plannedNodes({ quanta, labels });
  if ('circle' in planned) {
    const { circle, areClusters } = planned;
    const position = quanta.findIndex(({ name }) => name === circle[0]);
    const text = areClusters
      ? 'clusters of quanta that do not need each other in a circle: let fewer quanta share a job'
      : 'quanta that do not need each other in a circle';
    const path = areClusters ? ['labels'] : ['quanta', position, 'needs'];
    check.add(path, shown(circle), text, 'GRAPH_CIRCULAR');
    return;
  }
  const given = input.arguments ?? [];
  const own = bytesOf([input.command, ...given]);
  let all = 0;
  for (const { label, quanta: inNode } of planned.nodes) {
    const count = given.length + 2 + 4 * inNode.length;
    const bytes = own + inNode.reduce((sum, quantum) => sum + bytesOf(argumentsOf(quantum)), 0);
    all += bytes;
    if (count <= maxArguments && bytes <= maxArgumentBytes) continue;
    const position = (labels ?? []).findIndex((entry) => entry.label === label);
    const path = inNode.length > 1 ? ['labels', position, 'quantaPerJob'] : ['arguments'];
    const limit = `at most ${maxArguments} arguments of a job, together at most ${maxArgumentBytes} bytes`;
    check.add(path, `${count} arguments of ${bytes} bytes`, limit);
    return;
  }
  if (all > maxPayloadBytes)
    check.add(['arguments'], `${all} bytes for all jobs`, `at most ${maxPayloadBytes} bytes together`);
}

/** Arguments that name a quantum to the program. */
export function argumentsOf(
  quantum: Pick<RubinQuantumInput, 'name' | 'dataId' | 'dimensions'>,
): readonly string[] {
  return ['--data-id', dataIdOf(quantum), '--quantum', quantum.name];
}

function bytesOf(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text) + 1, 0);
}

function shown(circle: readonly string[]): string {
  const [first] = circle;
  return (circle.length > 12 ? [...circle.slice(0, 11), '…', first] : circle).join(' → ');
}
