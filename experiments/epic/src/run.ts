/** Rules of runs, all pure: what may be submitted, which groups and jobs follow, how a run stands. */
import {
  type AmountsOf,
  type CoreParameterSet,
  type CoreTask,
  ExperimentInputErrors,
  type InputFault,
  type PathRule,
  type SubmissionRules,
  commonPathRules,
  workerLabel,
} from '@rhizome/experiment';
import type { RunDocument } from './run.document.js';
import { checkRunIdentity } from './run-identity.js';
import type { EpicRunPhase, PlacementRule, SubmitEpicRunInput } from './types.generated.js';

/** The label by which a job names its run. */
export const runLabel = 'epic-run';

/** Input of a submission without its idempotency key. */
export type RunContent = Omit<SubmitEpicRunInput, 'idempotencyKey'>;

const maxGroups = 10_000;
/** Maximum number of jobs that one job may depend on. */
const maxMergedGroups = 1000;

/** Groups that the frames of a run make. */
export function groupCount({
  superTimeFrames,
  framesPerGroup,
}: Pick<RunDocument, 'superTimeFrames' | 'framesPerGroup'>): number {
  return Math.ceil(superTimeFrames / framesPerGroup);
}

/** The frames of a group; the last one takes what is left. */
export function framesOf(run: Pick<RunDocument, 'superTimeFrames' | 'framesPerGroup'>, group: number) {
  const firstFrame = group * run.framesPerGroup;
  return { firstFrame, frames: Math.min(run.framesPerGroup, run.superTimeFrames - firstFrame) };
}

/** Everything that is wrong with an input; nothing, if it is well-formed. */
export function checkRun(input: SubmitEpicRunInput): readonly InputFault<'INVALID_VALUE'>[] {
  const check = new ExperimentInputErrors();
  check.usual(input);
  checkRunIdentity(input, check);
  check.int(['superTimeFrames'], input.superTimeFrames, 1, 10_000_000);
  check.int(['framesPerGroup'], input.framesPerGroup, 1, 10_000_000);
  check.program(['command'], input.command);
  check.programArguments(['arguments'], input.arguments ?? []);
  check.outputs(['outputs'], input.outputs ?? []);
  checkMerge(input, check);
  if (check.isEmpty) checkGroups(input, check);
  return check.faults;
}

function checkMerge({ mergeCommand, mergeOutputs }: SubmitEpicRunInput, check: ExperimentInputErrors): void {
  if (mergeCommand == null) {
    if (mergeOutputs?.length)
      check.add(['mergeOutputs'], mergeOutputs, 'none where there is no `mergeCommand`');
    return;
  }
  const [command, ...rest] = mergeCommand;
  if (command === undefined) check.add(['mergeCommand'], mergeCommand, 'a program, and arguments behind it');
  else check.program(['mergeCommand', 0], command);
  check.programArguments(['mergeCommand'], rest);
  check.outputs(['mergeOutputs'], mergeOutputs ?? []);
}

function checkGroups(input: SubmitEpicRunInput, check: ExperimentInputErrors): void {
  const groups = groupCount(input);
  const most = input.mergeCommand ? maxMergedGroups : maxGroups;
  if (groups <= most) return;
  const least = Math.ceil(input.superTimeFrames / most);
  check.add(
    ['framesPerGroup'],
    input.framesPerGroup,
    `${least} or more: ${groups} groups are more than ${most}${input.mergeCommand ? ', which one merge can wait for' : ''}`,
  );
}

/** Maps runs to core tasks: a job per group, and a merge job on request. */
export const runRules: SubmissionRules<RunDocument, RunContent, 'RUN_NUMBER_TAKEN'> = {
  idPrefix: 'epicRun',
  describe: describeRun,
  toTask: taskOf,
  taken: ({ runNumber }) => ({
    path: ['runNumber'],
    message: `runNumber: run ${runNumber} was submitted before; must be a number that was not used`,
    code: 'RUN_NUMBER_TAKEN',
  }),
};

/** Maps paths of core's input to the experiment's input. */
export const runPathRules: readonly PathRule[] = [
  ...commonPathRules,
  ['template.requirements.selector', 'detectorConfiguration'],
  ['variants.*.payload.outputs', 'mergeOutputs'],
  ['variants.*.payload', () => ['mergeCommand']],
];

function describeRun(content: RunContent): ReturnType<(typeof runRules)['describe']> {
  const { runNumber, detectorConfiguration, superTimeFrames, framesPerGroup, command, mergeCommand } =
    content;
  const [mergeProgram, ...mergeArguments] = mergeCommand ?? [];
  const merge =
    mergeProgram === undefined
      ? {}
      : {
          merge: {
            command: mergeProgram,
            arguments: mergeArguments,
            outputs: [...(content.mergeOutputs ?? [])],
          },
        };
  return {
    ...{ runNumber, detectorConfiguration, superTimeFrames, framesPerGroup, command, ...merge },
    arguments: [...(content.arguments ?? [])],
    outputs: [...(content.outputs ?? [])],
    cores: content.cores ?? 1,
    memoryMiB: content.memoryMiB ?? 2000,
    walltimeSeconds: content.walltimeSeconds ?? 14_400,
    maxAttempts: content.maxAttempts ?? 3,
    requireDetectorLabel: content.isDetectorLabelRequired ?? false,
    totalJobs: groupCount(content) + (mergeProgram === undefined ? 0 : 1),
  };
}

function taskOf(run: RunDocument): CoreTask {
  const { runNumber, merge } = run;
  const groups = Array.from({ length: groupCount(run) }, (_, group) => group);
  const sets = groups.map((group) => parameterSet(run, group));
  const task = { name: `run ${runNumber}`, template: templateOf(run) };
  if (!merge) return { ...task, jobs: { parameterSets: sets } };
  const { command, arguments: given, outputs } = merge;
  return {
    ...task,
    variants: [
      {
        name: `run ${runNumber} merge {{index}}`,
        payload: { command, arguments: [...given], outputs: [...outputs] },
      },
    ],
    jobs: {
      parameterSets: [...sets, { parameters: [], dependsOn: groups.map((group) => `#${group}`), variant: 0 }],
    },
  };
}

function templateOf(run: RunDocument): CoreTask['template'] {
  const {
    runNumber,
    detectorConfiguration,
    command,
    outputs,
    cores,
    memoryMiB,
    walltimeSeconds,
    maxAttempts,
  } = run;
  const [rule] = placementOf(run);
  const placement = rule?.selector == null ? {} : { selector: rule.selector };
  const own = ['--run', String(runNumber), '--first-frame', '{{firstFrame}}', '--frames', '{{frames}}'];
  return {
    name: `run ${runNumber} group {{index}}`,
    labels: [{ key: 'epic-detector', value: detectorConfiguration }],
    requirements: { cores, memoryMiB, walltimeSeconds, ...placement },
    payload: { command, arguments: [...run.arguments, ...own], outputs: [...outputs] },
    retry: { maxAttempts },
  };
}

function parameterSet(run: RunDocument, group: number): CoreParameterSet {
  const { firstFrame, frames } = framesOf(run, group);
  return {
    parameters: [
      { name: 'firstFrame', value: String(firstFrame) },
      { name: 'frames', value: String(frames) },
    ],
  };
}

/** The rules about where the jobs of a run are run, as they are in their selector. */
export function placementOf({
  requireDetectorLabel,
  detectorConfiguration,
}: Pick<RunDocument, 'requireDetectorLabel' | 'detectorConfiguration'>): readonly PlacementRule[] {
  if (!requireDetectorLabel) return [];
  const text = `Only workers with the label epic-detector=${detectorConfiguration}: the run requires its detector configuration.`;
  return [{ text, selector: workerLabel('epic-detector', detectorConfiguration) }];
}

/** Contribution of an ended job to the sums; the merge job contributes nothing. */
export const amountsOf: AmountsOf<RunDocument> = (run, index, outcome) => {
  if (index >= groupCount(run)) return {};
  return outcome === 'LOST'
    ? { lostGroups: 1 }
    : { processedGroups: 1, processedFrames: framesOf(run, index).frames };
};

/** State of a run. */
export function phaseOf(run: RunDocument): EpicRunPhase {
  const { taskId, amounts } = run;
  if (taskId === undefined) return 'STARTING';
  const groups = groupCount(run);
  const processed = amounts['processedGroups'] ?? 0;
  if (processed === groups) return 'COMPLETE';
  return processed + (amounts['lostGroups'] ?? 0) === groups ? 'PARTIAL' : 'PROCESSING';
}
