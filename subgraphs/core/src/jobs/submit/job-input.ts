/** Whether a job that a caller describes is well-formed: ranges, forms, sizes, known words. The store is not asked here. */
import type { Findings } from '../../shared/findings.js';
import { checkGpu } from './gpu-input.js';
import { wantedArchitecture, wantedLevel } from '../model/platforms.js';
import type { RequirementChecks } from './requirement-checks.js';
import type { JobSpec, LabelSpec, PayloadSpec, RequirementsSpec, RetrySpec } from './submit.types.js';

type Path = readonly (string | number)[];

const labelKey = /^[A-Za-z0-9._/-]{1,63}$/;
const environmentName = /^[A-Za-z_][A-Za-z0-9_]{0,254}$/;
const word = /^[A-Za-z0-9][A-Za-z0-9._+:/@-]{0,254}$/;

/** Schemes of URLs that workers can fetch inputs from. */
const fetchedSchemes = new Set(['http', 'https']);
const schemesText = [...fetchedSchemes].map((scheme) => `${scheme}://`).join(' or ');

/** A dependency on a job of the same call or task, by its position. */
export const sibling = /^#(0|[1-9]\d{0,6})$/;

/** Checks one job. @param path where it stands in the input */
export function checkJob(job: JobSpec, path: Path, findings: Findings, checks: RequirementChecks): void {
  findings.line([...path, 'name'], job.name, 1, 255);
  findings.int([...path, 'priority'], job.priority ?? 0, -1000, 1000);
  checkLabels(job.labels ?? [], [...path, 'labels'], findings);
  if (job.requirements) checkRequirements(job.requirements, [...path, 'requirements'], findings, checks);
  checkPayload(job.payload, [...path, 'payload'], findings);
  if (job.retry) checkRetry(job.retry, [...path, 'retry'], findings);
  const parents = job.dependsOn ?? [];
  findings.list([...path, 'dependsOn'], parents, 1000);
  findings.distinct([...path, 'dependsOn'], parents);
}

/** Checks labels: at most 32, each key once. */
function checkLabels(labels: readonly LabelSpec[], path: Path, findings: Findings, max = 32): void {
  findings.list(path, labels, max);
  labels.forEach(({ key, value }, position) => {
    findings.form([...path, position, 'key'], key, labelKey, '1 to 63 letters, digits, `.`, `_`, `-`, `/`');
    findings.line([...path, position, 'value'], value, 0, 255);
  });
  findings.distinct(
    path,
    labels.map(({ key }) => key),
  );
}

/** Checks requirements; the selector by what the broker says, the queue by which there are. */
export function checkRequirements(
  spec: RequirementsSpec,
  path: Path,
  findings: Findings,
  checks: RequirementChecks,
): void {
  findings.int([...path, 'cores'], spec.cores ?? 1, 1, 4096);
  findings.int([...path, 'memoryMiB'], spec.memoryMiB ?? 1, 1, 16_777_216);
  findings.int([...path, 'diskMiB'], spec.diskMiB ?? 0, 0, 1_073_741_824);
  findings.int([...path, 'walltimeSeconds'], spec.walltimeSeconds ?? 1, 1, 2_592_000);
  checkWords(spec, path, findings);
  if (spec.queue != null) {
    const wanted = checks.queue(spec.queue);
    if (wanted !== undefined) findings.add([...path, 'queue'], spec.queue, wanted, 'QUEUE_NOT_FOUND');
  }
  if (spec.selector != null) {
    const answer = checks.selector(spec.selector.trim());
    if (answer.ok !== true)
      findings.add([...path, 'selector'], spec.selector, answer.message, 'SELECTOR_INVALID');
  }
  if (spec.gpu) checkGpu(spec.gpu, [...path, 'gpu'], findings);
}

/** Words that no worker ever reports would let a job wait for ever. */
function checkWords(spec: RequirementsSpec, path: Path, findings: Findings): void {
  const { architecture, architectureLevel, containerRuntime } = spec;
  if (architecture != null) {
    const wanted = wantedArchitecture(architecture);
    if (wanted !== undefined) findings.add([...path, 'architecture'], architecture, wanted);
  }
  if (architectureLevel != null) {
    const wanted = wantedLevel(architectureLevel, architecture);
    if (wanted !== undefined) findings.add([...path, 'architectureLevel'], architectureLevel, wanted);
  }
  if (containerRuntime != null)
    findings.form(
      [...path, 'containerRuntime'],
      containerRuntime,
      word,
      'a word of 1 to 255 letters, digits and `._+:/@-`',
    );
}

/** Checks what is run. */
export function checkPayload(spec: PayloadSpec, path: Path, findings: Findings): void {
  const { command, image } = spec;
  const given = {
    arguments: spec.arguments ?? [],
    environment: spec.environment ?? [],
    inputs: spec.inputs ?? [],
    outputs: spec.outputs ?? [],
  };
  findings.text([...path, 'command'], command, 1, 4096);
  if (image != null) findings.text([...path, 'image'], image, 1, 1024);
  findings.list([...path, 'arguments'], given.arguments, 1000);
  given.arguments.forEach((value, position) => {
    if (value.includes('\0'))
      findings.add([...path, 'arguments', position], value, 'a text without NUL characters');
  });
  const bytes = given.arguments.reduce((sum, value) => sum + Buffer.byteLength(value) + 1, 0);
  if (bytes > 131_072)
    findings.add([...path, 'arguments'], `${bytes} bytes`, 'at most 131072 bytes together');
  findings.list([...path, 'environment'], given.environment, 1000);
  given.environment.forEach(({ name, value }, position) => {
    const expected = 'letters, digits and `_`, not starting with a digit or `RHIZOME_`';
    if (!environmentName.test(name) || name.startsWith('RHIZOME_'))
      findings.add([...path, 'environment', position, 'name'], name, expected);
    findings.text([...path, 'environment', position, 'value'], value, 0, 32_768);
  });
  const size = given.environment.reduce((sum, { name, value }) => sum + name.length + value.length, 0);
  if (size > 1_048_576)
    findings.add([...path, 'environment'], `${size} characters`, 'at most 1048576 characters together');
  findings.distinct(
    [...path, 'environment'],
    given.environment.map(({ name }) => name),
  );
  checkFiles(given, path, findings);
}

type Files = {
  readonly inputs: readonly { readonly name: string; readonly location: string }[];
  readonly outputs: readonly string[];
};

/** File names stay in the folder they belong to. */
function checkFiles({ inputs, outputs }: Files, path: Path, findings: Findings): void {
  findings.list([...path, 'inputs'], inputs, 1000);
  inputs.forEach(({ name, location }, position) => {
    checkFileName(name, [...path, 'inputs', position, 'name'], findings);
    const at = [...path, 'inputs', position, 'location'];
    findings.text(at, location, 1, 4096);
    const [, scheme] = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(location) ?? [];
    if (scheme !== undefined && !fetchedSchemes.has(scheme.toLowerCase()))
      findings.add(at, location, `a URL that begins with ${schemesText}, or a path in the file store`);
  });
  findings.distinct(
    [...path, 'inputs'],
    inputs.map(({ name }) => name),
  );
  findings.list([...path, 'outputs'], outputs, 100);
  outputs.forEach((name, position) => checkFileName(name, [...path, 'outputs', position], findings));
  findings.distinct([...path, 'outputs'], outputs);
}

function checkFileName(name: string, path: Path, findings: Findings): void {
  const well =
    name.length >= 1 && name.length <= 255 && !/[/\\\0]/.test(name) && name !== '.' && name !== '..';
  if (!well) findings.add(path, name, 'a file name of 1 to 255 characters without `/` and `\\`');
}

/** Checks a retry policy. */
function checkRetry(spec: RetrySpec, path: Path, findings: Findings): void {
  findings.int([...path, 'maxAttempts'], spec.maxAttempts ?? 1, 1, 20);
  findings.int([...path, 'backoffSeconds'], spec.backoffSeconds ?? 0, 0, 86_400);
  const factor = spec.backoffFactor ?? 2;
  if (!Number.isFinite(factor) || factor < 1 || factor > 10)
    findings.add([...path, 'backoffFactor'], factor, 'a number from 1 to 10');
}
