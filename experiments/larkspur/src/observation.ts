/**
 * Rules of observations, all pure: what may be submitted, which jobs follow, what a job is, how an
 * observation stands.
 */
import {
  type AmountsOf,
  type CoreTask,
  ExperimentInputErrors,
  type InputFault,
  type PathRule,
  type SubmissionRules,
  commonPathRules,
  workerLabel,
} from '@rhizome/experiment';
import type { ObservationDocument } from './observation.document.js';
import type {
  LarkspurObservationState,
  LarkspurStep,
  SubmitLarkspurObservationInput,
  PlacementRule,
} from './types.generated.js';

/** The label by which a job names its observation. */
export const observationLabel = 'larkspur-observation';

/** Input of a submission without its idempotency key. */
export type ObservationContent = Omit<SubmitLarkspurObservationInput, 'idempotencyKey'>;

/** Everything that is wrong with an input; nothing, if it is well-formed. */
export function checkObservation(
  input: SubmitLarkspurObservationInput,
): readonly InputFault<'INVALID_VALUE'>[] {
  const check = new ExperimentInputErrors();
  check.usual(input);
  check.form(['field'], input.field, /^LK-\d{3}$/, '`LK-` and three digits, as LK-042');
  check.int(['exposures'], input.exposures, 1, 1000);
  check.number(['exposureSeconds'], input.exposureSeconds, { above: 0, max: 3600 });
  check.program(['command'], input.command);
  check.programArguments(['arguments'], input.arguments ?? []);
  if (input.calibration != null) check.text(['calibration'], input.calibration, 1, 255);
  return check.faults;
}

/** Maps observations to core tasks: a job per exposure, and one that stacks them. */
export const observationRules: SubmissionRules<ObservationDocument, ObservationContent> = {
  idPrefix: 'larkspurObservation',
  describe: ({ field, band, exposures, exposureSeconds, command, arguments: given, calibration }) => ({
    field,
    band,
    exposures,
    exposureSeconds,
    command,
    arguments: [...(given ?? [])],
    ...(calibration == null ? {} : { calibration }),
    totalJobs: exposures + 1,
  }),
  toTask: taskOf,
};

/** Maps paths of core's input to the experiment's input. */
export const observationPathRules: readonly PathRule[] = [
  ...commonPathRules,
  ['template.requirements.selector', 'calibration'],
  ['variants.*.payload.arguments', 'arguments'],
];

function taskOf({
  field,
  band,
  exposures,
  command,
  arguments: given,
  calibration,
}: ObservationDocument): CoreTask {
  const payload = (...own: readonly string[]) => ({
    command,
    arguments: [...given, ...own, '--field', field],
  });
  const positions = Array.from({ length: exposures }, (_, exposure) => exposure);
  return {
    name: `${field} ${band}`,
    template: {
      name: `calibrate {{index}}`,
      labels: [
        { key: 'larkspur-field', value: field },
        { key: 'larkspur-band', value: band },
      ],
      payload: payload('--step', 'calibrate', '--exposure', '{{exposure}}'),
      ...(calibration === undefined ? {} : { requirements: { selector: calibrationSelector(calibration) } }),
    },
    variants: [{ name: `stack {{index}}`, payload: payload('--step', 'stack') }],
    jobs: {
      parameterSets: [
        ...positions.map((exposure) => ({ parameters: [{ name: 'exposure', value: String(exposure) }] })),
        { parameters: [], dependsOn: positions.map((exposure) => `#${exposure}`), variant: 0 },
      ],
    },
  };
}

const calibrationSelector = (calibration: string): string => workerLabel('larkspur-calibration', calibration);

/** The rules about where an observation's jobs run, in words, as they went into their selector. */
export function placementOf({
  calibration,
}: Pick<ObservationDocument, 'calibration'>): readonly PlacementRule[] {
  if (calibration === undefined) return [];
  const text = `It runs where the calibration "${calibration}" is: on workers with the label larkspur-calibration=${calibration}.`;
  return [{ text, selector: calibrationSelector(calibration) }];
}

/** Details of the job at a position. */
export function stepAt({ exposures }: Pick<ObservationDocument, 'exposures'>, index: number): LarkspurStep {
  return index < exposures ? 'CALIBRATE' : 'STACK';
}

/** Contribution of an ended job to the sums. */
export const amountsOf: AmountsOf<ObservationDocument> = (observation, index, outcome) =>
  outcome === 'FINISHED' && stepAt(observation, index) === 'CALIBRATE' ? { calibratedExposures: 1 } : {};

/** State of an observation. */
export function stateOf({
  taskId,
  finishedJobs,
  lostJobs,
  totalJobs,
}: ObservationDocument): LarkspurObservationState {
  if (taskId === undefined) return 'SUBMITTING';
  if (lostJobs > 0) return 'INCOMPLETE';
  return finishedJobs === totalJobs ? 'COMPLETE' : 'PROCESSING';
}
