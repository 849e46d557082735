/** Checks the form of submitted jobs: ranges, formats, sizes and enumerations, without reading the store. */
import type { InputErrors } from '@rhizome/errors';
import { checkArguments } from '../../queues/payload-arguments.js';
import { longestWalltimeSeconds } from '../../queues/walltime.js';
import { checkContinuity } from '../../shared/continuity.js';
import { checkNotice } from '../../shared/notice.js';
import { checkGpu } from './gpu-input.js';
import { mostKeptCheckpoints } from '../checkpoints/kept-checkpoints.js';
import { wantedArchitecture, wantedLevel } from '../model/platforms.js';
import { defaultWalltimeSeconds, secretDefaults } from './normalise.js';
import type { CheckDataset, PayloadChecks, RequirementChecks } from './requirement-checks.js';
import type { JobSpec, PayloadSpec, PreferenceSpec, RequirementsSpec, RetrySpec } from './submit.types.js';
import { checkFiles } from './file-input.js';
import type { JobValueErrors } from './job-input-error.types.js';

type Path = readonly (string | number)[];

/** Largest memory of a job, in MiB. */
export const mostMemoryMiB = 16_777_216;
/** Largest scratch space of a job, in MiB. */
export const mostDiskMiB = 1_073_741_824;
/** Most environment variables of a payload, and most characters of them together. */
export const mostVariables = 1000;
export const mostEnvironmentCharacters = 1_048_576;

const environmentName = /^[A-Za-z_][A-Za-z0-9_]{0,254}$/;
const variableForm = 'letters, digits and `_`, not starting with a digit or `RHIZOME_`';
const runtimeName = /^[A-Za-z0-9][A-Za-z0-9._+:/@-]{0,254}$/;

/** Dependency on a job of the same call or task, by its position. */
export const sibling = /^#(0|[1-9]\d{0,6})$/;

/** Checks one job. @param path its path in the input */
export function checkJob(job: JobSpec, path: Path, errors: JobValueErrors, checks: RequirementChecks): void {
  errors.text([...path, 'name'], job.name, 1, 255);
  errors.int([...path, 'priority'], job.priority ?? 0, -1000, 1000);
  errors.labels([...path, 'labels'], job.labels ?? [], 32);
  if (job.requirements) checkRequirements(job.requirements, [...path, 'requirements'], errors, checks);
  checkPayload(job.payload, [...path, 'payload'], errors, checks);
  const { notice } = job.payload;
  if (notice) {
    const walltimeSeconds = job.requirements?.walltimeSeconds ?? defaultWalltimeSeconds;
    checkNotice(notice, [...path, 'payload', 'notice'], errors, walltimeSeconds);
  }
  if (job.retry) checkRetry(job.retry, [...path, 'retry'], errors);
  if (job.continuity) checkContinuity(job.continuity, [...path, 'continuity'], errors, checks.continuity);
  const parents = job.dependsOn ?? [];
  errors.list([...path, 'dependsOn'], parents, 1000);
  errors.distinct([...path, 'dependsOn'], parents);
}

/** Checks the factor of a change of an amount. @param path that of the change */
export function checkFactor<C extends string>(
  factor: number | undefined,
  path: Path,
  errors: InputErrors<C>,
): void {
  errors.number([...path, 'factor'], factor, { above: 0, max: 100 });
}

/** Checks requirements. The given checks validate the selector and the queue. */
export function checkRequirements(
  spec: RequirementsSpec,
  path: Path,
  errors: JobValueErrors,
  checks: RequirementChecks,
): void {
  errors.int([...path, 'cores'], spec.cores ?? 1, 1, 4096);
  errors.int([...path, 'memoryMiB'], spec.memoryMiB ?? 1, 1, mostMemoryMiB);
  errors.int([...path, 'diskMiB'], spec.diskMiB ?? 0, 0, mostDiskMiB);
  errors.int([...path, 'walltimeSeconds'], spec.walltimeSeconds ?? 1, 1, longestWalltimeSeconds);
  checkPlatform(spec, path, errors);
  if (spec.queue != null) {
    const wanted = checks.queue(spec.queue);
    if (wanted !== undefined) errors.add([...path, 'queue'], spec.queue, wanted, 'QUEUE_NOT_FOUND');
  }
  if (spec.selector != null) {
    const answer = checks.selector(spec.selector.trim());
    if (answer.ok !== true)
      errors.add([...path, 'selector'], spec.selector, answer.message, 'SELECTOR_INVALID');
  }
  if (spec.gpu) checkGpu(spec.gpu, [...path, 'gpu'], errors);
  if (spec.preferences) checkPreferences(spec.preferences, [...path, 'preferences'], errors, checks);
}

/** Most preferences of a job. */
const mostPreferences = 8;

function checkPreferences(
  preferences: readonly PreferenceSpec[],
  path: Path,
  errors: JobValueErrors,
  checks: Pick<RequirementChecks, 'selector'>,
): void {
  errors.list(path, preferences, mostPreferences);
  errors.distinct(
    path,
    preferences.map(({ expression }) => expression.trim()),
  );
  preferences.forEach(({ expression, weight }, at) => {
    errors.int([...path, at, 'weight'], weight ?? 1, 1, 100);
    const answer = checks.selector(expression.trim(), 'PREFERENCE');
    if (answer.ok !== true)
      errors.add([...path, at, 'expression'], expression, answer.message, 'SELECTOR_INVALID');
  });
}

/** Rejects platform names that no worker reports: the job would wait forever. */
function checkPlatform(spec: RequirementsSpec, path: Path, errors: JobValueErrors): void {
  const { architecture, architectureLevel, containerRuntime } = spec;
  if (architecture != null) {
    const wanted = wantedArchitecture(architecture);
    if (wanted !== undefined) errors.add([...path, 'architecture'], architecture, wanted);
  }
  if (architectureLevel != null) {
    const wanted = wantedLevel(architectureLevel, architecture);
    if (wanted !== undefined) errors.add([...path, 'architectureLevel'], architectureLevel, wanted);
  }
  if (containerRuntime != null)
    errors.form(
      [...path, 'containerRuntime'],
      containerRuntime,
      runtimeName,
      'a name of 1 to 255 letters, digits and `._+:/@-`',
    );
}

/** Checks a payload. */
export function checkPayload(
  spec: PayloadSpec,
  path: Path,
  errors: JobValueErrors,
  checks: PayloadChecks = {},
): void {
  const { command, image, uploadId } = spec;
  const given = {
    arguments: spec.arguments ?? [],
    environment: spec.environment ?? [],
    inputs: spec.inputs ?? [],
    outputs: spec.outputs ?? [],
    keepOnFailure: spec.keepOnFailure ?? [],
  };
  errors.line([...path, 'command'], command, 1, 4096);
  if (image != null) errors.line([...path, 'image'], image, 1, 1024);
  checkArguments(errors, [...path, 'arguments'], given.arguments, { most: 1000, bytes: 131_072 });
  errors.list([...path, 'environment'], given.environment, mostVariables);
  given.environment.forEach(({ name, value }, position) => {
    if (!environmentName.test(name) || name.startsWith('RHIZOME_'))
      errors.add([...path, 'environment', position, 'name'], name, variableForm);
    errors.verbatim([...path, 'environment', position, 'value'], value, 0, 32_768);
  });
  const size = environmentCharacters(given.environment);
  if (size > mostEnvironmentCharacters)
    errors.add(
      [...path, 'environment'],
      `${size} characters`,
      `at most ${mostEnvironmentCharacters} characters together`,
    );
  errors.distinct(
    [...path, 'environment'],
    given.environment.map(({ name }) => name),
  );
  errors.int([...path, 'keptCheckpoints'], spec.keptCheckpoints, 1, mostKeptCheckpoints);
  checkFiles(given, path, errors, checks.place);
  checkOutputDatasets(spec, path, errors, checks.dataset);
  const expected = uploadId == null ? undefined : checks.upload?.(uploadId);
  if (uploadId != null && expected !== undefined) errors.add([...path, 'uploadId'], uploadId, expected);
  checkSecrets(spec, path, errors);
}

/** Characters of all names and values together. */
export function environmentCharacters(environment: NonNullable<PayloadSpec['environment']>): number {
  return environment.reduce((sum, { name, value }) => sum + name.length + value.length, 0);
}

const mostSecrets = 32;
/** File of the token of an attempt, next to those of secrets. */
const tokenFile = 'rhizome-job-token';

/** Checks the form of secrets, and that no file or variable is set twice. */
function checkSecrets({ secrets, environment }: PayloadSpec, path: Path, errors: JobValueErrors): void {
  if (!secrets?.length) return;
  const at = [...path, 'secrets'];
  errors.list(at, secrets, mostSecrets);
  secrets.forEach((secret, position) => {
    const { as, target } = secretDefaults(secret);
    const own = [...at, position, secret.target == null ? 'name' : 'target'];
    if (as === 'FILE' && target === tokenFile) errors.add(own, target, 'another name than that of the token');
    else if (as === 'FILE') errors.fileName(own, target);
    else if (!environmentName.test(target) || target.startsWith('RHIZOME_'))
      errors.add(own, target, `a name of a variable: ${variableForm}`);
    else if (environment?.some(({ name }) => name === target))
      errors.add(own, target, 'a variable that `environment` does not set');
  });
  errors.distinct(
    at,
    secrets.map((secret) => Object.values(secretDefaults(secret)).slice(1).join(' ')),
  );
}

/** Checks a retry policy. */
export function checkRetry(spec: RetrySpec, path: Path, errors: JobValueErrors): void {
  errors.int([...path, 'maxAttempts'], spec.maxAttempts ?? 1, 1, 20);
  errors.int([...path, 'backoffSeconds'], spec.backoffSeconds ?? 0, 0, 86_400);
  errors.number([...path, 'backoffFactor'], spec.backoffFactor, { min: 1, max: 10 });
  errors.number([...path, 'memoryFactor'], spec.memoryFactor, { min: 1.01, max: 10 });
  errors.int([...path, 'maxMemoryMiB'], spec.maxMemoryMiB ?? 1, 1, 16_777_216);
}

/** Most datasets of a job: each is a look-up key of its document. */
const mostDatasets = 20;

/** Checks the datasets of outputs, each of which goes to one at most. */
function checkOutputDatasets(
  { outputs, outputDatasets }: PayloadSpec,
  path: Path,
  errors: JobValueErrors,
  checkDataset: CheckDataset = () => undefined,
): void {
  const at = [...path, 'outputDatasets'];
  const declared = new Set(outputs);
  (outputDatasets ?? []).forEach(({ output, datasetId }, position) => {
    if (!declared.has(output))
      errors.add([...at, position, 'output'], output, 'one of `outputs`, as it is written there');
    const expected = checkDataset(datasetId);
    if (expected !== undefined) errors.add([...at, position, 'datasetId'], datasetId, expected);
  });
  errors.distinct(
    at,
    (outputDatasets ?? []).map(({ output }) => output),
    100,
  );
  const datasets = new Set(outputDatasets?.map(({ datasetId }) => datasetId));
  if (datasets.size > mostDatasets)
    errors.add(at, `${datasets.size} datasets`, `at most ${mostDatasets} different datasets`);
}
