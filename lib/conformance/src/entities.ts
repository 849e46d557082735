import { type EndpointClient, codesOf, countLoadsHeader, errorText } from './endpoint-client.js';
import type { ServedSchema } from './served-schema.js';
import { Broken, type Check, type EntityUnderContract, Skipped } from './types.js';

type Representation = Readonly<Record<string, unknown>>;

/** It resolves entities in batches, in order, and one that is missing or broken takes no other with it. */
export function entityChecks(endpoint: EndpointClient, served: () => ServedSchema): readonly Check[] {
  const declared = Object.entries(endpoint.contract.entities ?? {});
  return [
    {
      part: 'entities',
      promise: 'every entity it resolves is under this contract',
      run: async () => {
        const missing = served().entities.filter((type) => !endpoint.contract.entities?.[type]);
        if (missing.length === 0) return served().entities.join(', ') || 'it resolves none';
        throw new Skipped(`needs three representations of ${missing.join(', ')}`);
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
    promise: `${type}: representations are answered in their order`,
    run: async () => {
      const known = atLeastThree(type, entity);
      const forth = await resolve(endpoint, type, entity, known);
      const back = await resolve(endpoint, type, entity, [...known].reverse());
      if (forth.some((one) => one === null))
        throw new Broken(
          `one of them is null`,
          `answer what is there: ${JSON.stringify(known[forth.indexOf(null)])}`,
        );
      if (JSON.stringify(forth) === JSON.stringify([...back].reverse())) return `${known.length} entities`;
      throw new Broken(
        'the order of the answer differs from the order of the request',
        'answer index by index',
      );
    },
  };
}

function inOneBatch(endpoint: EndpointClient, type: string, entity: EntityUnderContract): Check {
  return {
    part: 'entities',
    promise: `${type}: n representations are loaded by the calls that one takes`,
    run: async () => {
      const known = atLeastThree(type, entity);
      const one = await loads(endpoint, type, entity, known.slice(0, 1));
      const all = await loads(endpoint, type, entity, known);
      if (one === null || all === null) {
        throw new Broken(
          `the endpoint does not count: no \`extensions.loads\` for the header ${countLoadsHeader}`,
          'count the calls of each loader in an operation and answer them as `extensions: { loads: { name: calls } }` when that header is sent',
        );
      }
      if (one > 0 && all <= one) return `${known.length} representations, ${all} call${all === 1 ? '' : 's'}`;
      throw new Broken(
        one === 0 ? 'it counted no load at all' : `1 representation: ${one} calls, ${known.length}: ${all}`,
        'put a DataLoader, or what your language has, behind the reference resolver',
      );
    },
  };
}

function missingAlone(endpoint: EndpointClient, type: string, entity: EntityUnderContract): Check {
  return leavesOthersWhole(endpoint, type, entity, {
    which: 'one that is not there',
    spoil: elsewhere,
    cure: 'answer null for a key that is not there, and make what you add to core’s types nullable',
  });
}

function brokenAlone(endpoint: EndpointClient, type: string, entity: EntityUnderContract): Check {
  return leavesOthersWhole(endpoint, type, entity, {
    which: 'one that cannot be read',
    spoil: (known) => Object.fromEntries(Object.keys(known).map((key) => [key, { junk: [1] }])),
    cure: 'let the reference resolver fail for its own representation alone: make it asynchronous, and never let it throw for all',
  });
}

/** Puts a representation that cannot be resolved between two that exist. */
function leavesOthersWhole(
  endpoint: EndpointClient,
  type: string,
  entity: EntityUnderContract,
  { which, spoil, cure }: { which: string; spoil: (known: Representation) => Representation; cure: string },
): Check {
  return {
    part: 'nullability',
    promise: `${type}: ${which} leaves the others whole`,
    run: async () => {
      const [first, second] = atLeastThree(type, entity);
      const alone = await resolve(endpoint, type, entity, [first, second]);
      const { json, text } = await queryEntities(endpoint, type, entity, [first, spoil(first), second]);
      const list = json?.data?.['_entities'] as unknown[] | undefined;
      if (JSON.stringify([list?.[0], list?.[2]]) !== JSON.stringify(alone))
        throw new Broken(errorText(json, text), cure);
      return list?.[1] === null ? 'null in its place' : 'an empty one in its place';
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
  throw new Broken(
    `${status}: ${errorText(json, text)} ${codesOf(json).join(' ')}`.trim(),
    `answer \`_entities\` of ${type}, one entry a representation`,
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
    throw new Skipped(`needs three representations of ${type} that exist`);
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
