/** Rules of production tasks, all pure: what may be submitted, which task of core follows, how one stands. */
import {
  type AmountsOf,
  type CoreParameterSet,
  type CoreTask,
  ExperimentInputErrors,
  type InputFault,
  type PathRule,
  type SubmissionRules,
  commonPathRules,
  givenResources,
  workerLabel,
} from '@rhizome/experiment';
import { isLastSplit, jobAt, jobCount, jobsPerStep } from './chain.js';
import { type ProductionTaskDocument, steps, type StoredTransform } from './production-task.document.js';
import type {
  SubmitAtlasTaskInput,
  AtlasTaskState,
  AtlasTransformInput,
  PlacementRule,
} from './types.generated.js';

/** The label by which a job names its production task. */
export const taskLabel = 'atlas-task';

/** Input of a submission without its idempotency key. */
export type ProductionTaskContent = Omit<SubmitAtlasTaskInput, 'idempotencyKey'>;

const maxJobsPerStep = 10_000;
/** Maximum number of jobs that one job may depend on. */
const maxMergedJobs = 1000;
/** Placeholders in programs and file names; core replaces `index` itself. */
const parameters = ['events', 'firstEvent', 'seed', 'index'];

/** Everything that is wrong with an input; nothing, if it is well-formed. */
export function checkProductionTask(
  input: SubmitAtlasTaskInput,
): readonly InputFault<'INVALID_VALUE' | 'CHAIN_INVALID'>[] {
  const check = new ExperimentInputErrors<'CHAIN_INVALID'>();
  check.usual(input);
  check.form(['campaign'], input.campaign, /^mc\d{2}[a-z]$/, '`mc`, two digits and a letter, as mc23e');
  check.int(['requestId'], input.requestId, 1, 2_147_483_647);
  check.form(['physicsShort'], input.physicsShort, /^[A-Za-z0-9_]{1,63}$/, '1 to 63 letters, digits and `_`');
  check.int(['totalEvents'], input.totalEvents, 1, 100_000_000);
  check.int(['eventsPerJob'], input.eventsPerJob, 1, 100_000_000);
  check.int(['seed'], input.seed, 0, 2_000_000_000);
  check.int(['scouts'], input.scouts, 1, 1000);
  if (input.release != null) check.text(['release'], input.release, 1, 255);
  if (input.share != null) check.text(['share'], input.share, 1, 63);
  checkChain(input.transforms, check);
  if (check.isEmpty) checkWidth(input, check);
  return check.faults;
}

function checkChain(
  transforms: readonly AtlasTransformInput[],
  check: ExperimentInputErrors<'CHAIN_INVALID'>,
): void {
  check.list(['transforms'], transforms, steps.length, 1);
  transforms.forEach(({ step, command: [program, ...rest], output, moreOutputs, resources }, position) => {
    const path = ['transforms', position];
    const before = transforms[position - 1]?.step;
    if (before !== undefined && steps.indexOf(step) <= steps.indexOf(before)) {
      check.add([...path, 'step'], step, `a step behind ${before} in ${steps.join(', ')}`, 'CHAIN_INVALID');
    }
    if (step === 'MERGE' && position === 0) {
      check.add([...path, 'step'], step, 'a step before it whose outputs are merged', 'CHAIN_INVALID');
    }
    if (program === undefined) check.add([...path, 'command'], [], 'a program, and arguments behind it');
    else check.program([...path, 'command', 0], program);
    check.programArguments([...path, 'command'], rest, parameters);
    check.fileName([...path, 'output'], output, parameters);
    check.outputs([...path, 'moreOutputs'], moreOutputs ?? [], parameters);
    if (moreOutputs?.includes(output))
      check.add([...path, 'moreOutputs'], output, 'other files than `output`');
    check.resources([...path, 'resources'], resources ?? {});
  });
}

function checkWidth(input: SubmitAtlasTaskInput, check: ExperimentInputErrors<'CHAIN_INVALID'>): void {
  const isMerged = input.transforms.some(({ step }) => step === 'MERGE');
  const most = isMerged ? maxMergedJobs : maxJobsPerStep;
  const width = jobsPerStep(input);
  if (width <= most) return;
  const least = Math.ceil(input.totalEvents / most);
  const why = `${width} jobs for each step are more than ${most}${isMerged ? ', which one merge can wait for' : ''}`;
  check.add(['eventsPerJob'], input.eventsPerJob, `${least} or more: ${why}`);
}

/** Maps production tasks to core tasks. */
export const productionTaskRules: SubmissionRules<ProductionTaskDocument, ProductionTaskContent> = {
  idPrefix: 'atlasTask',
  describe: describeTask,
  toTask: coreTaskOf,
};

/** Maps paths of core's input to the experiment's input. */
export const productionTaskPathRules: readonly PathRule[] = [
  ...commonPathRules,
  ['template.requirements.selector', 'release'],
  ['scouts.count', 'scouts'],
  ['template.payload', () => ['transforms', '0']],
  ['variants', ([position, ...rest]) => ['transforms', String(Number(position) + 1), ...ownRest(rest)]],
];

/** Path within a step: only its resources have the same names in core. */
function ownRest([member, ...rest]: readonly string[]): readonly string[] {
  return member === 'requirements' && rest[0] !== 'selector' ? ['resources', ...rest] : [];
}

function describeTask(content: ProductionTaskContent): ReturnType<(typeof productionTaskRules)['describe']> {
  const { campaign, requestId, physicsShort, totalEvents, eventsPerJob, release, scouts, share } = content;
  return {
    ...{ campaign, requestId, physicsShort, totalEvents, eventsPerJob },
    transforms: content.transforms.map(storedTransform),
    cores: content.cores ?? 1,
    memoryMiB: content.memoryMiB ?? 2000,
    walltimeSeconds: content.walltimeSeconds ?? 43_200,
    seed: content.seed ?? 1,
    maxAttempts: content.maxAttempts ?? 3,
    ...(release == null ? {} : { release }),
    ...(scouts == null ? {} : { scouts }),
    ...(share == null ? {} : { share }),
    totalJobs: jobCount(content),
  };
}

function storedTransform({
  step,
  command: [program = '', ...rest],
  output,
  moreOutputs,
  resources,
}: AtlasTransformInput): StoredTransform {
  const own = givenResources(resources);
  return {
    ...{ step, command: program, arguments: rest, outputs: [output, ...(moreOutputs ?? [])] },
    ...(own ? { resources: own } : {}),
  };
}

function coreTaskOf(task: ProductionTaskDocument): CoreTask {
  const { campaign, requestId, physicsShort, cores, memoryMiB, walltimeSeconds, maxAttempts, share, scouts } =
    task;
  const [rule] = placementOf(task);
  const requirements = {
    ...{ cores, memoryMiB, walltimeSeconds },
    ...(rule?.selector == null ? {} : { selector: rule.selector }),
  };
  // A variant without requirements has those of the template, which are those of the first step.
  const haveOwn = task.transforms.some(({ resources }) => resources);
  const shapes = task.transforms.map(({ step, command, arguments: given, outputs, resources }) => ({
    name: `${physicsShort} ${step.toLowerCase()} {{index}}`,
    ...(haveOwn ? { requirements: { ...requirements, ...resources } } : {}),
    payload: { command, arguments: [...given], outputs: [...outputs] },
  }));
  const [template = { name: '', payload: { command: '' } }, ...variants] = shapes;
  return {
    name: `${campaign} ${requestId} ${physicsShort}`,
    template: {
      requirements,
      ...template,
      ...(share === undefined ? {} : { share }),
      labels: [
        { key: 'atlas-campaign', value: campaign },
        { key: 'atlas-request', value: String(requestId) },
      ],
      retry: { maxAttempts },
    },
    variants,
    ...(scouts === undefined ? {} : { scouts: { count: scouts } }),
    jobs: { parameterSets: Array.from({ length: task.totalJobs }, (_, index) => parameterSet(task, index)) },
  };
}

/** The rules about where the jobs of a task are run, as they are in their selector. */
export function placementOf({ release }: Pick<ProductionTaskDocument, 'release'>): readonly PlacementRule[] {
  if (release === undefined) return [];
  const text = `Only workers with the label atlas-release=${release}: the task requires this software release.`;
  return [{ text, selector: workerLabel('atlas-release', release) }];
}

function parameterSet(task: ProductionTaskDocument, index: number): CoreParameterSet {
  const { transform, firstEvent, events, parents } = jobAt(task, index);
  return {
    parameters: [
      { name: 'events', value: String(events) },
      { name: 'firstEvent', value: String(firstEvent) },
      { name: 'seed', value: String(task.seed + index) },
    ],
    dependsOn: parents.map((parent) => `#${parent}`),
    ...(transform === 0 ? {} : { variant: transform - 1 }),
  };
}

/**
 * Contribution of an ended job to the sums: its events, once they have passed the last step before the merge.
 */
export const amountsOf: AmountsOf<ProductionTaskDocument> = (task, index, outcome) => {
  const job = jobAt(task, index);
  return outcome === 'FINISHED' && isLastSplit(task, job) ? { processedEvents: job.events } : {};
};

/** State of a production task. */
export function stateOf({
  taskId,
  finishedJobs,
  lostJobs,
  totalJobs,
}: ProductionTaskDocument): AtlasTaskState {
  if (taskId === undefined) return 'REGISTERED';
  if (finishedJobs + lostJobs < totalJobs) return 'RUNNING';
  if (lostJobs === 0) return 'DONE';
  return finishedJobs > 0 ? 'FINISHED' : 'FAILED';
}
