/** Rules of workflows: what may be submitted, and which task of core follows. */
import {
  type CoreTask,
  ExperimentInputErrors,
  type InputFault,
  type PathRule,
  type SubmissionRules,
  commonPathRules,
  givenResources,
  workerLabel,
} from '@rhizome/experiment';
import { dropQuanta, type QuantaRepository, writeQuanta } from './quanta.repository.js';
import { inOrder } from './quantum-graph.js';
import type {
  PlacementRule,
  RubinLabelInput,
  RubinQuantumInput,
  SubmitRubinWorkflowInput,
} from './types.generated.js';
import type { LabelResources, Quantum, WorkflowDocument } from './workflow.document.js';

/** The label by which a job names its workflow. */
export const workflowLabel = 'rubin-workflow';

/** Input of a submission without its idempotency key. */
export type WorkflowContent = Omit<SubmitRubinWorkflowInput, 'idempotencyKey'>;

/** Quanta of a workflow at most. */
export const maxQuanta = 10_000;
/** Maximum number of jobs that one job may depend on. */
const maxNeeds = 1000;
const maxNeedsInAll = 100_000;
/** Labels with resources of their own at most. */
const maxLabels = 200;

/** Everything that is wrong with an input; nothing, if it is well-formed. */
export function checkWorkflow(
  input: SubmitRubinWorkflowInput,
): readonly InputFault<'INVALID_VALUE' | 'GRAPH_CIRCULAR'>[] {
  const check = new ExperimentInputErrors<'GRAPH_CIRCULAR'>();
  check.usual(input);
  check.text(['name'], input.name, 1, 127);
  check.text(['pipeline'], input.pipeline, 1, 63);
  if (input.release != null) check.text(['release'], input.release, 1, 255);
  check.program(['command'], input.command);
  check.programArguments(['arguments'], input.arguments ?? []);
  check.list(['quanta'], input.quanta, maxQuanta, 1);
  if (input.quanta.length <= maxQuanta) checkQuanta(input.quanta, check);
  checkLabels(input, check);
  if (check.isEmpty) checkOrder(input.quanta, check);
  return check.faults;
}

function checkLabels(
  { labels, quanta }: SubmitRubinWorkflowInput,
  check: ExperimentInputErrors<'GRAPH_CIRCULAR'>,
): void {
  const given = labels ?? [];
  check.list(['labels'], given, maxLabels);
  const used = new Set(quanta.map(({ label }) => label));
  const seen = new Set<string>();
  given.slice(0, maxLabels).forEach((entry, position) => {
    const path = ['labels', position];
    if (!used.has(entry.label))
      check.add([...path, 'label'], entry.label, 'a label that a quantum of this workflow has');
    if (seen.has(entry.label)) check.add([...path, 'label'], entry.label, 'a label that no other entry has');
    seen.add(entry.label);
    check.resources(path, entry);
  });
}

function checkQuanta(
  quanta: readonly RubinQuantumInput[],
  check: ExperimentInputErrors<'GRAPH_CIRCULAR'>,
): void {
  const names = new Set(quanta.map(({ name }) => name));
  const seen = new Set<string>();
  let needed = 0;
  quanta.forEach(({ name, label, dataId, needs }, position) => {
    const path = ['quanta', position];
    check.form([...path, 'name'], name, /^[A-Za-z0-9_.-]{1,127}$/, '1 to 127 letters, digits, `_`, `-`, `.`');
    if (seen.has(name)) check.add([...path, 'name'], name, 'a name that no other quantum has');
    seen.add(name);
    check.text([...path, 'label'], label, 1, 63);
    check.text([...path, 'dataId'], dataId, 1, 1024);
    check.list([...path, 'needs'], needs ?? [], maxNeeds);
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

function checkOrder(
  quanta: readonly RubinQuantumInput[],
  check: ExperimentInputErrors<'GRAPH_CIRCULAR'>,
): void {
  const ordered = inOrder(quanta);
  if (!('circle' in ordered)) return;
  const [first] = ordered.circle;
  const position = quanta.findIndex(({ name }) => name === first);
  const shown = ordered.circle.length > 12 ? [...ordered.circle.slice(0, 11), '…', first] : ordered.circle;
  check.add(
    ['quanta', position, 'needs'],
    shown.join(' → '),
    'quanta that do not need each other in a circle',
    'GRAPH_CIRCULAR',
  );
}

/** The quanta as they are stored: in order. */
export function orderedQuanta({ quanta }: Pick<WorkflowContent, 'quanta'>): readonly Quantum[] {
  const ordered = inOrder(quanta);
  if ('circle' in ordered) throw new Error(`a circle that was not refused: ${ordered.circle.join(' → ')}`);
  return ordered.order.map(({ name, label, dataId, needs }) => ({
    name,
    label,
    dataId,
    needs: [...(needs ?? [])],
  }));
}

/** Maps workflows to core tasks: a job per quantum. */
export function workflowRules(quanta: QuantaRepository): SubmissionRules<WorkflowDocument, WorkflowContent> {
  return {
    idPrefix: 'rubinWorkflow',
    describe: ({ name, pipeline, command, quanta: nodes, ...rest }) => ({
      ...{ name, pipeline, command },
      arguments: [...(rest.arguments ?? [])],
      memoryMiB: rest.memoryMiB ?? 4000,
      walltimeSeconds: rest.walltimeSeconds ?? 7200,
      ...(rest.release == null ? {} : { release: rest.release }),
      ...storedLabels(rest.labels),
      totalJobs: nodes.length,
    }),
    toTask: async (workflow) => taskOf(workflow, await quanta.range(workflow._id, 0, workflow.totalJobs)),
    parts: (content) => writeQuanta(orderedQuanta(content)),
    dropParts: dropQuanta,
  };
}

function storedLabels(
  labels: readonly RubinLabelInput[] | null | undefined,
): Pick<WorkflowDocument, 'labels'> {
  const stored = (labels ?? []).flatMap(({ label, ...given }): readonly LabelResources[] => {
    const resources = givenResources(given);
    return resources ? [{ label, resources }] : [];
  });
  return stored.length === 0 ? {} : { labels: stored };
}

/** Maps paths of core's input to the experiment's input. */
export const workflowPathRules: readonly PathRule[] = [
  ...commonPathRules,
  ['template.requirements.selector', 'release'],
  ['jobs.parameterSets', () => ['quanta']],
  ['variants', ([position = '0', , ...rest]) => ['labels', position, ...rest]],
];

/** The task of a workflow. @param quanta in order */
export function taskOf(workflow: Omit<WorkflowDocument, '_id'>, quanta: readonly Quantum[]): CoreTask {
  const { name, pipeline, command, memoryMiB, walltimeSeconds, labels = [] } = workflow;
  const [rule] = placementOf(workflow);
  const placement = rule?.selector == null ? {} : { selector: rule.selector };
  const requirements = { memoryMiB, walltimeSeconds, ...placement };
  const variants = new Map(labels.map(({ label }, index) => [label, index]));
  const positions = new Map(quanta.map((quantum, index) => [quantum.name, index]));
  const own = ['--label', '{{label}}', '--data-id', '{{dataId}}', '--quantum', '{{quantum}}'];
  return {
    name,
    template: {
      name: '{{quantum}}',
      labels: [{ key: 'rubin-pipeline', value: pipeline }],
      requirements,
      payload: { command, arguments: [...workflow.arguments, ...own] },
    },
    ...(labels.length === 0
      ? {}
      : { variants: labels.map(({ resources }) => ({ requirements: { ...requirements, ...resources } })) }),
    jobs: {
      parameterSets: quanta.map((quantum) => ({
        parameters: [
          { name: 'label', value: quantum.label },
          { name: 'dataId', value: quantum.dataId },
          { name: 'quantum', value: quantum.name },
        ],
        dependsOn: quantum.needs.map((need) => `#${positions.get(need)}`),
        ...(variants.has(quantum.label) ? { variant: variants.get(quantum.label) } : {}),
      })),
    },
  };
}

/** The rules about where the jobs of a workflow are run, as they are in their selector. */
export function placementOf({ release }: Pick<WorkflowDocument, 'release'>): readonly PlacementRule[] {
  if (release === undefined) return [];
  const text = `Only workers with the label rubin-release=${release}: the workflow requires this release of the pipelines.`;
  return [{ text, selector: workerLabel('rubin-release', release) }];
}
