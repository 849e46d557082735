/** Checks of selectors, queues and places of files, prepared once for all jobs of a call. */
import type { ContinuityPolicy } from '../../shared/continuity.js';
import { isInStorage, locationsOf, problemOfInput } from '../../storages/places.js';
import type { ExperimentFacts, QueueDirectory } from '../ports.js';
import type { PayloadSpec, RequirementsSpec } from './submit.types.js';

/** Returns whether a selector or a preference can be used, and if not, the reason. */
export type CheckSelector = (
  text: string,
  use?: 'SELECTOR' | 'PREFERENCE',
) => { readonly ok: true } | { readonly ok?: false; readonly message: string };

/** Returns what would be right instead of a location in a storage; undefined if the job may read it. */
export type CheckPlace = (location: string) => string | undefined;

/** Returns what would be right instead of a dataset for outputs; undefined if the jobs may add to it. */
export type CheckDataset = (datasetId: string) => string | undefined;

/** Beginning of a location whose scheme a parameter may complete. */
const unknownScheme = /^(?:(?!\/\/).)*?\{\{/s;

/** Returns what would be right instead of an upload; undefined if the job may use it. */
export type CheckUpload = (id: string) => string | undefined;

/** Most uploads of one call that are looked up. */
const mostUploads = 1000;

/** Checks of payloads that need more than the payload itself. */
export interface PayloadChecks {
  /** Absent where places cannot be checked yet. */
  readonly place?: CheckPlace | undefined;
  /** Absent where no payload is checked. */
  readonly dataset?: CheckDataset | undefined;
  /** Absent where no payload is checked. */
  readonly upload?: CheckUpload | undefined;
}

/** Checks that need more than the requirement itself. */
export interface RequirementChecks extends PayloadChecks {
  readonly selector: CheckSelector;
  /** Expected queue names; undefined if the queue can be used. */
  readonly queue: (name: string) => string | undefined;
  /** Defaults and bounds of the experiment for the continuity of its jobs. */
  readonly continuity?: ContinuityPolicy | undefined;
}

/** Payloads whose places are checked. */
export interface OwnedPayloads {
  /** Subject of the owner of the jobs. */
  readonly owner: string;
  /** Parameters need not be filled in. */
  readonly payloads: readonly (PayloadSpec | null | undefined)[];
}

/**
 * Prepares the checks for jobs of an experiment.
 * @param experiment null if there is no such experiment: queues and places are then not checked
 * @param owned undefined if there are no payloads
 */
export async function requirementChecks(
  { queues, checkSelector }: { readonly queues: QueueDirectory; readonly checkSelector: CheckSelector },
  experiment: Pick<
    ExperimentFacts,
    'name' | 'continuity' | 'storages' | 'deletedPlaces' | 'datasets' | 'uploads'
  > | null,
  specs: Iterable<RequirementsSpec | null | undefined>,
  owned?: OwnedPayloads,
): Promise<RequirementChecks> {
  const names = new Set<string>();
  for (const spec of specs) if (spec?.queue != null) names.add(spec.queue);
  const place = experiment && owned ? await placeCheck(experiment, owned) : undefined;
  const dataset = experiment && owned ? await datasetCheck(experiment, owned) : undefined;
  const upload = experiment && owned ? await uploadCheck(experiment, owned) : undefined;
  const checks = { selector: checkSelector, continuity: experiment?.continuity, place, dataset, upload };
  if (experiment === null || names.size === 0) return { ...checks, queue: () => undefined };
  const admitted = await queues.admitted([...names], experiment.name);
  const wanted = (): string => {
    const some = queues.admitting(experiment.name);
    const listed = some.slice(0, 10).join(', ') + (some.length > 10 ? ', …' : '');
    return `an existing queue that admits ${experiment.name}: ${listed === '' ? 'none exists yet' : listed}`;
  };
  return { ...checks, queue: (name) => (admitted.has(name) ? undefined : wanted()) };
}

/** Datasets are read once for a call, and only if a payload names some. */
async function datasetCheck(
  { name, datasets }: Pick<ExperimentFacts, 'name' | 'datasets'>,
  { owner, payloads }: OwnedPayloads,
): Promise<CheckDataset> {
  const ids = new Set(
    payloads.flatMap((payload) => payload?.outputDatasets?.map(({ datasetId }) => datasetId) ?? []),
  );
  const found = ids.size > 0 ? ((await datasets?.([...ids])) ?? []) : [];
  const usable = new Set(
    found
      .filter((one) => one.experiment === name && one.owner === owner && one.state === 'OPEN')
      .map(({ _id }) => _id),
  );
  return (id) => (usable.has(id) ? undefined : `an open dataset of ${name} that belongs to ${owner}`);
}

/** Most jobs have no input in a storage: storages are then not read. */
async function placeCheck(
  { name, storages, deletedPlaces }: Pick<ExperimentFacts, 'name' | 'storages' | 'deletedPlaces'>,
  { owner, payloads }: OwnedPayloads,
): Promise<CheckPlace> {
  const locations = payloads.flatMap((payload) => payload?.inputs?.flatMap(locationsOf) ?? []);
  const stored = [...new Set(locations.filter(isInStorage))];
  const isNeeded = stored.length > 0 || locations.some((location) => unknownScheme.test(location));
  const found = isNeeded ? ((await storages?.()) ?? []) : [];
  const deleted = stored.length > 0 ? await deletedPlaces?.(stored) : undefined;
  return (location) =>
    problemOfInput({ experiment: name, owner }, location, found) ??
    (deleted?.has(location) === true ? 'a file that is not being deleted; restore it first' : undefined);
}

async function uploadCheck(
  { name, uploads }: Pick<ExperimentFacts, 'name' | 'uploads'>,
  { owner, payloads }: OwnedPayloads,
): Promise<CheckUpload> {
  const ids = new Set(payloads.flatMap((payload) => payload?.uploadId ?? []));
  const found = ids.size > 0 ? await uploads?.(owner, [...ids].slice(0, mostUploads)) : undefined;
  return (id) => (found?.has(id) ? undefined : `a complete upload of ${owner} for ${name}, not expired`);
}
