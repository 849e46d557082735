/** Checks submitted tasks: the template, each parameter set, and the jobs that result. */
import { InputErrors } from '@rhizome/errors';
import { setImmediate as turn } from 'node:timers/promises';
import { checkJob, checkPayload, checkRequirements, sibling } from '../jobs/submit/job-input.js';
import type { CheckPlace, RequirementChecks } from '../jobs/submit/requirement-checks.js';
import type { JobSpec } from '../jobs/submit/submit.types.js';
import { checkFailureLimit } from './limits/failure-limit.js';
import { mostRunningJobs } from './changes/task-change-input.js';
import { checkTaskDataset } from './files/task-dataset-input.js';
import type { TaskDatasetSpec } from './files/task-dataset.types.js';
import { fileParameters, mostJobs } from './files/task-files.js';
import { checkScouts } from './scouts/scout-input.js';
import { type IsPlain, neededOf, parameterName, plainSets } from './plain-sets.js';
import { fillIn, indexParameter, parametersOf, textsOf } from './template.js';
import type { ParameterSetSpec, TaskSpec } from './task-spec.types.js';
import type {
  JobInputErrors,
  JobInputError,
  JobInputErrorCode,
} from '../jobs/submit/job-input-error.types.js';

/** Maximum number of returned errors: an error in a template is an error of every job. */
const maxRefusals = 100;
const maxVariants = 200;
/** Path of the parameter sets in the caller's input. */
export const setsPath = ['jobs', 'parameterSets'] as const;
/** Maximum size of all variants as JSON, in characters; they are stored in the task's document. */
const maxVariantsSize = 4 * 1024 * 1024;

/** Checks everything that needs no other jobs. An empty result means that the task is well-formed. */
export async function checkTask(
  task: TaskSpec,
  checks: RequirementChecks,
): Promise<readonly JobInputError[]> {
  const errors = new InputErrors<JobInputErrorCode>();
  errors.verbatim(['idempotencyKey'], task.idempotencyKey, 1, 200);
  errors.verbatim(['experiment'], task.experiment, 1, 31);
  errors.text(['name'], task.name, 1, 255);
  const place = checks.place && ignoringParameters(checks.place);
  checkJob(task.template, ['template'], errors, { ...checks, place });
  checkVariants(task, errors, { ...checks, place });
  checkSize(task, errors);
  checkScouts(task.scouts, errors, ['scouts']);
  checkFailureLimit(task.failureLimit, errors, ['failureLimit']);
  if (task.maxRunningJobs != null) errors.int(['maxRunningJobs'], task.maxRunningJobs, 1, mostRunningJobs);
  if (!errors.isEmpty) return errors.all.slice(0, maxRefusals);
  if (task.dataset) checkDatasetTask(task.template, task.dataset, errors, checks.place);
  else if (task.parameterSets) await checkSets(shapesOf(task), task.parameterSets, errors, checks.place);
  else checkCount(task.template, task.count ?? 0, errors, checks.place);
  return errors.all.slice(0, maxRefusals);
}

/** The template, followed by the variants with the values that they inherit from it. */
export function shapesOf({
  template,
  variants,
}: Pick<TaskSpec, 'template' | 'variants'>): readonly JobSpec[] {
  const others = (variants ?? []).map(({ name, requirements, payload }) => ({
    ...template,
    name: name ?? template.name,
    requirements: requirements ?? template.requirements,
    payload: payload ?? template.payload,
  }));
  return [template, ...others];
}

/** Ids of the jobs outside the task that it waits for. */
export function externalParentsOf({ template, parameterSets }: TaskSpec): ReadonlySet<string> {
  const ids = new Set<string>(template.dependsOn ?? []);
  for (const { dependsOn } of parameterSets ?? [])
    for (const id of dependsOn ?? []) if (!sibling.test(id)) ids.add(id);
  return ids;
}

function checkSize({ parameterSets, count, dataset, template }: TaskSpec, errors: JobInputErrors): void {
  if ([parameterSets, count, dataset].filter((given) => given != null).length !== 1) {
    errors.add(['jobs'], count ?? null, 'one of `count`, `parameterSets` and `dataset`');
  } else if (parameterSets != null && (parameterSets.length < 1 || parameterSets.length > mostJobs)) {
    errors.add(
      setsPath,
      `${parameterSets.length} sets`,
      `1 to ${mostJobs} sets`,
      parameterSets.length > 0 ? 'BATCH_TOO_LARGE' : 'INVALID_VALUE',
    );
  } else if (count != null) errors.int(['jobs', 'count'], count, 1, mostJobs);
  (template.dependsOn ?? []).forEach((id, position) => {
    if (sibling.test(id))
      errors.add(
        ['template', 'dependsOn', position],
        id,
        'the id of a job outside the task; use `#N` in parameter sets only',
        'DEPENDENCY_INVALID',
      );
  });
}

function checkVariants(
  { variants, parameterSets }: TaskSpec,
  errors: JobInputErrors,
  checks: RequirementChecks,
): void {
  const given = variants ?? [];
  errors.list(['variants'], given, maxVariants);
  if (given.length > 0 && parameterSets == null)
    errors.add(
      ['variants'],
      `${given.length} entries`,
      'absent without `jobs.parameterSets` that refer to them',
    );
  const size = JSON.stringify(given).length;
  if (size > maxVariantsSize)
    errors.add(['variants'], `${size} characters`, `at most ${maxVariantsSize} characters together`);
  given.slice(0, maxVariants).forEach(({ name, requirements, payload }, position) => {
    const path = ['variants', position];
    if (name != null) errors.text([...path, 'name'], name, 1, 255);
    if (requirements) checkRequirements(requirements, [...path, 'requirements'], errors, checks);
    if (payload) checkPayload(payload, [...path, 'payload'], errors, checks);
  });
}

function checkCount(
  template: JobSpec,
  count: number,
  errors: JobInputErrors,
  checkPlace: CheckPlace | undefined,
): void {
  for (const name of parametersOf(textsOf(template))) {
    if (name !== indexParameter)
      errors.add(['template'], `{{${name}}}`, '{{index}}, the only parameter with `count`');
  }
  // Places of the first job may belong to another owner than those of the last one.
  const before = errors.all.length;
  checkFilled(template, 0, {}, ['template'], errors, checkPlace);
  if (errors.all.length === before && count > 1)
    checkFilled(template, count - 1, {}, ['template'], errors, checkPlace);
}

/** Checks a template whose jobs get files of a dataset, with values of the first job. */
function checkDatasetTask(
  template: JobSpec,
  dataset: TaskDatasetSpec,
  errors: JobInputErrors,
  checkPlace: CheckPlace | undefined,
): void {
  checkTaskDataset(dataset, template.payload.inputs?.length ?? 0, errors);
  const known = [indexParameter, ...fileParameters];
  for (const name of parametersOf(textsOf(template)))
    if (!known.includes(name))
      errors.add(['template'], `{{${name}}}`, `one of ${known.map((one) => `{{${one}}}`).join(', ')}`);
  const values = Object.fromEntries(fileParameters.map((name) => [name, '1']));
  if (errors.isEmpty) checkFilled(template, 0, values, ['template'], errors, checkPlace);
}

/** Shape of a job, with the parameters that its texts need. */
interface Shape {
  readonly spec: JobSpec;
  readonly needed: readonly string[];
  readonly isPlain: IsPlain;
}

async function checkSets(
  specs: readonly JobSpec[],
  sets: readonly ParameterSetSpec[],
  errors: JobInputErrors,
  checkPlace: CheckPlace | undefined,
): Promise<void> {
  const shapes = specs.map((spec) => {
    const needed = neededOf(parametersOf(textsOf(spec)));
    return { spec, needed, isPlain: plainSets(spec, needed) };
  });
  for (const [index, set] of sets.entries()) {
    const shape = shapes[set.variant == null ? 0 : set.variant + 1];
    if (shape && set.variant !== -1) {
      if (!shape.isPlain(set)) checkSet(shape, set, index, errors, checkPlace);
    } else
      errors.add(
        [...setsPath, index, 'variant'],
        set.variant,
        shapes.length > 1
          ? `a position in \`variants\`, 0 to ${shapes.length - 2}`
          : 'absent without `variants`',
      );
    if (errors.all.length >= maxRefusals) return;
    // A million sets take a while: yields to other work.
    if (index % 500 === 499) await turn();
  }
}

function checkSet(
  { spec: template, needed }: Shape,
  set: ParameterSetSpec,
  index: number,
  errors: JobInputErrors,
  checkPlace: CheckPlace | undefined,
): void {
  const path = [...setsPath, index];
  const before = errors.all.length;
  errors.list([...path, 'parameters'], set.parameters, 100);
  errors.distinct(
    [...path, 'parameters'],
    set.parameters.map(({ name }) => name),
  );
  set.parameters.forEach(({ name, value }, position) => {
    const own = [...path, 'parameters', position];
    if (!parameterName.test(name) || name === indexParameter)
      errors.add(
        [...own, 'name'],
        name,
        'letters, digits and `_`, not starting with a digit, and not `index`',
      );
    errors.verbatim([...own, 'value'], value, 0, 4096);
  });
  const values = Object.fromEntries(set.parameters.map(({ name, value }) => [name, value]));
  for (const name of needed)
    if (!Object.hasOwn(values, name))
      errors.add([...path, 'parameters'], Object.keys(values), `a value for {{${name}}} of the template`);
  const parents = set.dependsOn ?? [];
  errors.list([...path, 'dependsOn'], parents, 1000 - (template.dependsOn?.length ?? 0));
  errors.distinct([...path, 'dependsOn'], [...(template.dependsOn ?? []), ...parents]);
  parents.forEach((id, position) => {
    if (sibling.test(id) && Number(id.slice(1)) >= index) {
      errors.add(
        [...path, 'dependsOn', position],
        id,
        `#N with N smaller than ${index}`,
        'DEPENDENCY_INVALID',
      );
    }
  });
  if (errors.all.length === before) checkFilled(template, index, values, path, errors, checkPlace);
}

/** Checks a filled-in template like a job that is submitted directly. */
function checkFilled(
  template: JobSpec,
  index: number,
  values: Readonly<Record<string, string>>,
  path: readonly (string | number)[],
  errors: JobInputErrors,
  checkPlace: CheckPlace | undefined,
): void {
  const { name, payload } = fillIn(textsOf(template), index, values);
  errors.text([...path, 'name'], name, 1, 255);
  checkPayload({ ...template.payload, ...payload }, [...path, 'payload'], errors, { place: checkPlace });
}

/** The place of a location with parameters is known once they are filled in. */
function ignoringParameters(checkPlace: CheckPlace): CheckPlace {
  return (location) => (location.includes('{{') ? undefined : checkPlace(location));
}
