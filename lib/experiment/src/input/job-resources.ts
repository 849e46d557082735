/** Resources of some jobs of a submission, such as those of a step, in place of the submission's own. */

/** Resources as they are stored: amounts that were given. */
export interface JobResources {
  readonly cores?: number;
  readonly memoryMiB?: number;
  readonly diskMiB?: number;
  readonly walltimeSeconds?: number;
}

/** Resources as a caller gives them. */
export type JobResourcesInput = { readonly [Name in keyof JobResources]?: number | null | undefined };

/** Smallest and largest amount of each resource, as in core. */
export const resourceRanges = {
  cores: [1, 4096],
  memoryMiB: [1, 16_777_216],
  diskMiB: [0, 1_073_741_824],
  walltimeSeconds: [1, 34_560_000],
} as const satisfies Record<keyof JobResources, readonly [number, number]>;

/** Names of all resources. */
export const resourceNames = Object.keys(resourceRanges) as (keyof JobResources)[];

/** Stored form, for validators of collections. */
export const jobResourcesSchema = {
  bsonType: 'object',
  additionalProperties: false,
  properties: Object.fromEntries(resourceNames.map((name) => [name, { bsonType: 'int' }])),
};

/** Resources that were given; undefined if there are none. */
export function givenResources(resources: JobResourcesInput | null | undefined): JobResources | undefined {
  const given = resourceNames.flatMap((name) =>
    resources?.[name] == null ? [] : [[name, resources[name]] as const],
  );
  return given.length === 0 ? undefined : Object.fromEntries(given);
}
