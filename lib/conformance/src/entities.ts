import { type EndpointClient, codesOf, countLoadsHeader, errorText } from './endpoint-client.js';
import type { ServedSchema } from './served-schema.js';
import { CheckFailed, type Check, type EntityUnderContract, CheckSkipped } from './types.js';

type Representation = Readonly<Record<string, unknown>>;

/** It resolves entities in batches, in order, and one that is missing or broken takes no other with it. */
export function entityChecks(endpoint: EndpointClient, served: () => ServedSchema): readonly Check[] {
  const declared = Object.entries(endpoint.contract.entities ?? {});
  return [
    {
      part: 'entities',
      promise: 'every entity that it resolves is tested',
      run: async () => {
        const missing = served().entities.filter((type) => !endpoint.contract.entities?.[type]);
        if (missing.length === 0) return served().entities.join(', ') || 'it resolves no entities';
        throw new CheckSkipped(`needs three representations of ${missing.join(', ')}`);
      },
    },
    ...declared.flatMap(([type, entity]) => [
      inOrder(endpoint, type, entity),
      inOneBatch(endpoint, type, entity),
      missingAlone(endpoint, type, entity),
      brokenAlone(endpoint, type, entity),
    ]),
  ];
}

function inOrder(endpoint: EndpointClient, type: string, entity: EntityUnderContract): Check {
  return {
    part: 'entities',
    promise: `${type}: representations are resolved in order`,
    run: async () => {
      const known = atLeastThree(type, entity);
      const forth = await resolve(endpoint, type, entity, known);
      const back = await resolve(endpoint, type, entity, [...known].reverse());
      if (forth.some((one) => one === null))
        throw new CheckFailed(
          'one of them is null',
          `resolve the existing object: ${JSON.stringify(known[forth.indexOf(null)])}`,
        );
      if (JSON.stringify(forth) === JSON.stringify([...back].reverse())) return `${known.length} entities`;
      throw new CheckFailed(
        'the order of the result differs from the order of the request',
        'return results in the order of the representations',
      );
    },
  };
}

function inOneBatch(endpoint: EndpointClient, type: string, entity: EntityUnderContract): Check {
  return {
    part: 'entities',
    promise: `${type}: n representations take as many calls of the loader as one`,
    run: async () => {
      const known = atLeastThree(type, entity);
      const one = await loads(endpoint, type, entity, known.slice(0, 1));
      const all = await loads(endpoint, type, entity, known);
      if (one === null || all === null) {
        throw new CheckFailed(
          `the endpoint does not count loads: no \`extensions.loads\` for the header ${countLoadsHeader}`,
          'count the calls of each loader in an operation and return them as `extensions: { loads: { name: calls } }` when that header is sent',
        );
      }
      if (one > 0 && all <= one) return `${known.length} representations, ${all} call${all === 1 ? '' : 's'}`;
      throw new CheckFailed(
        one === 0 ? 'it counted no loads' : `1 representation: ${one} calls, ${known.length}: ${all}`,
        'put a DataLoader, or the equivalent of your language, behind the reference resolver',
      );
    },
  };
}

function missingAlone(endpoint: EndpointClient, type: string, entity: EntityUnderContract): Check {
  return leavesOthersWhole(endpoint, type, entity, {
    which: 'one that does not exist',
    spoil: elsewhere,
    fix: 'return null for an unknown key, and make your fields on core’s types nullable',
  });
}

function brokenAlone(endpoint: EndpointClient, type: string, entity: EntityUnderContract): Check {
  return leavesOthersWhole(endpoint, type, entity, {
    which: 'an invalid one',
    spoil: (known) => Object.fromEntries(Object.keys(known).map((key) => [key, { junk: [1] }])),
    fix: 'make the reference resolver asynchronous, so that an error fails its own representation only',
  });
}

/** Puts a representation that cannot be resolved between two that exist. */
function leavesOthersWhole(
  endpoint: EndpointClient,
  type: string,
  entity: EntityUnderContract,
  { which, spoil, fix }: { which: string; spoil: (known: Representation) => Representation; fix: string },
): Check {
  return {
    part: 'nullability',
    promise: `${type}: ${which} does not affect the others`,
    run: async () => {
      const [first, second] = atLeastThree(type, entity);
      const alone = await resolve(endpoint, type, entity, [first, second]);
      const { json, text } = await queryEntities(endpoint, type, entity, [first, spoil(first), second]);
      const list = json?.data?.['_entities'] as unknown[] | undefined;
      if (JSON.stringify([list?.[0], list?.[2]]) !== JSON.stringify(alone))
        throw new CheckFailed(errorText(json, text), fix);
      return list?.[1] === null ? 'null at its position' : 'an empty one at its position';
    },
  };
}

/** Asks for entities as a gateway does. */
export function queryEntities(
  endpoint: EndpointClient,
  type: string,
  { selection = '__typename' }: EntityUnderContract,
  representations: readonly Representation[],
  options: Parameters<EndpointClient['execute']>[1] = {},
): ReturnType<EndpointClient['execute']> {
  const query = `query ($r: [_Any!]!) { _entities(representations: $r) { __typename ... on ${type} { ${selection} } } }`;
  const variables = { r: representations.map((one) => ({ __typename: type, ...one })) };
  return endpoint.execute({ query, variables }, options);
}

async function resolve(
  endpoint: EndpointClient,
  type: string,
  entity: EntityUnderContract,
  representations: readonly Representation[],
): Promise<readonly unknown[]> {
  const { status, json, text } = await queryEntities(endpoint, type, entity, representations);
  const list = json?.data?.['_entities'];
  if (Array.isArray(list) && list.length === representations.length && !json?.errors?.length) return list;
  throw new CheckFailed(
    `${status}: ${errorText(json, text)} ${codesOf(json).join(' ')}`.trim(),
    `return \`_entities\` of ${type}, one entry per representation`,
  );
}

async function loads(
  endpoint: EndpointClient,
  type: string,
  entity: EntityUnderContract,
  representations: readonly Representation[],
): Promise<number | null> {
  const { json } = await queryEntities(endpoint, type, entity, representations, {
    headers: { [countLoadsHeader]: '1' },
  });
  const counted = json?.extensions?.['loads'];
  if (typeof counted !== 'object' || counted === null) return null;
  return Object.values(counted).reduce((sum: number, one: unknown) => sum + Number(one), 0);
}

function atLeastThree(
  type: string,
  { representations }: EntityUnderContract,
): readonly [Representation, Representation, ...Representation[]] {
  const [first, second, ...rest] = representations;
  if (!first || !second || rest.length === 0)
    throw new CheckSkipped(`needs three representations of ${type} that exist`);
  return [first, second, ...rest];
}

/** A representation of the same shape that does not exist. */
function elsewhere(known: Representation): Representation {
  return Object.fromEntries(
    Object.entries(known).map(([key, value]) => [
      key,
      typeof value === 'string'
        ? `${value}-that-is-nowhere`
        : typeof value === 'object' && value !== null && !Array.isArray(value)
          ? elsewhere(value as Representation)
          : value,
    ]),
  );
}
