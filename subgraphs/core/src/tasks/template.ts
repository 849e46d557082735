/** Pure rules of task templates: which parameters are replaced, and where. */
import type { StoredPayload } from '../jobs/model/job.types.js';
import { storedInput } from '../jobs/submit/normalise.js';
import type { JobSpec } from '../jobs/submit/submit.types.js';
import { locationsOf } from '../storages/places.js';

const placeholder = /\{\{([A-Za-z_][A-Za-z0-9_]*)\}\}/g;

/** Name of the parameter that every job has: its position. */
export const indexParameter = 'index';

/** Texts of a template in which parameters are replaced. */
export interface TemplateTexts {
  readonly name: string;
  readonly payload: Pick<
    StoredPayload,
    'arguments' | 'environment' | 'inputs' | 'outputs' | 'keepOnFailure' | 'outputDatasets'
  >;
}

/** Names of all parameters in the texts. */
export function parametersOf(texts: TemplateTexts): ReadonlySet<string> {
  const names = new Set<string>();
  for (const text of allTexts(texts))
    for (const [, name] of text.matchAll(placeholder)) if (name !== undefined) names.add(name);
  return names;
}

/** Texts of a job before parameters are replaced. */
export function textsOf({ name, payload }: JobSpec): TemplateTexts {
  return {
    name,
    payload: {
      arguments: payload.arguments ?? [],
      environment: payload.environment ?? [],
      inputs: (payload.inputs ?? []).map(storedInput),
      outputs: payload.outputs ?? [],
      ...(payload.outputDatasets ? { outputDatasets: payload.outputDatasets } : {}),
      ...(payload.keepOnFailure?.length && { keepOnFailure: payload.keepOnFailure }),
    },
  };
}

/**
 * Texts of the job at a position. The position is appended to the name if the template's name does not use
 * it, so that names are unique. Values are inserted literally.
 */
export function fillIn<T extends TemplateTexts>(
  texts: T,
  index: number,
  parameters: Readonly<Record<string, string>>,
): T {
  const fill = (text: string): string =>
    text.includes('{{')
      ? text.replace(placeholder, (all, name: string) =>
          name === indexParameter ? String(index) : (parameters[name] ?? all),
        )
      : text;
  const { name, payload } = texts;
  return {
    ...texts,
    name: name.includes(`{{${indexParameter}}}`) ? fill(name) : `${fill(name)} ${index}`,
    payload: {
      ...payload,
      arguments: payload.arguments.map(fill),
      environment: payload.environment.map(({ name: variable, value }) => ({
        name: variable,
        value: fill(value),
      })),
      inputs: payload.inputs.map(({ location, otherLocations, ...input }) => ({
        ...input,
        location: fill(location),
        ...(otherLocations && { otherLocations: otherLocations.map(fill) }),
      })),
      outputs: payload.outputs.map(fill),
      ...(payload.outputDatasets && {
        outputDatasets: payload.outputDatasets.map((one) => ({ ...one, output: fill(one.output) })),
      }),
      ...(payload.keepOnFailure && { keepOnFailure: payload.keepOnFailure.map(fill) }),
    },
  };
}

function* allTexts({ name, payload }: TemplateTexts): Generator<string> {
  yield name;
  yield* payload.arguments;
  for (const { value } of payload.environment) yield value;
  yield* payload.inputs.flatMap(locationsOf);
  yield* payload.outputs;
}
