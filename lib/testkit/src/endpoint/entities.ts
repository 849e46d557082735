import { type Asker, codesOf, countLoadsHeader, told } from './ask.js';
import type { ServedSchema } from './served-schema.js';
import { Broken, type Check, type EntityUnderContract, Skipped } from './types.js';

type Representation = Readonly<Record<string, unknown>>;

/** It resolves entities in batches, in order, and one that is missing or broken takes no other with it. */
export function entityChecks(asker: Asker, served: () => ServedSchema): readonly Check[] {
  const told = Object.entries(asker.contract.entities ?? {});
  return [
    {
      part: 'entities',
      promise: 'every entity it resolves is under this contract',
      run: async () => {
        const missing = served().entities.filter((type) => !asker.contract.entities?.[type]);
        if (missing.length === 0) return served().entities.join(', ') || 'it resolves none';
        throw new Skipped(`tell three representations of ${missing.join(', ')}`);
      },
    },
    ...told.flatMap(([type, entity]) => [
      inOrder(asker, type, entity),
      inOneBatch(asker, type, entity),
      missingAlone(asker, type, entity),
      brokenAlone(asker, type, entity),
    ]),
  ];
}

function inOrder(asker: Asker, type: string, entity: EntityUnderContract): Check {
  return {
    part: 'entities',
    promise: `${type}: representations are answered in their order`,
    run: async () => {
      const known = atLeastThree(type, entity);
      const forth = await resolve(asker, type, entity, known);
      const back = await resolve(asker, type, entity, [...known].reverse());
      if (forth.some((one) => one === null))
        throw new Broken(
          `one of them is null`,
          `answer what is there: ${JSON.stringify(known[forth.indexOf(null)])}`,
        );
      if (JSON.stringify(forth) === JSON.stringify([...back].reverse())) return `${known.length} entities`;
      throw new Broken('the order of the answer is not that of the question', 'answer index by index');
    },
  };
}

function inOneBatch(asker: Asker, type: string, entity: EntityUnderContract): Check {
  return {
    part: 'entities',
    promise: `${type}: n representations are loaded by the calls that one takes`,
    run: async () => {
      const known = atLeastThree(type, entity);
      const one = await loads(asker, type, entity, known.slice(0, 1));
      const all = await loads(asker, type, entity, known);
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

function missingAlone(asker: Asker, type: string, entity: EntityUnderContract): Check {
  return leavesOthersWhole(asker, type, entity, {
    which: 'one that is not there',
    spoil: elsewhere,
    cure: 'answer null for a key that is not there, and make what you add to core’s types nullable',
  });
}

function brokenAlone(asker: Asker, type: string, entity: EntityUnderContract): Check {
  return leavesOthersWhole(asker, type, entity, {
    which: 'one that cannot be read',
    spoil: (known) => Object.fromEntries(Object.keys(known).map((key) => [key, { junk: [1] }])),
    cure: 'let the reference resolver fail for its own representation alone: make it asynchronous, and never let it throw for all',
  });
}

/** A representation that nobody can answer stands between two that are there. */
function leavesOthersWhole(
  asker: Asker,
  type: string,
  entity: EntityUnderContract,
  { which, spoil, cure }: { which: string; spoil: (known: Representation) => Representation; cure: string },
): Check {
  return {
    part: 'nullability',
    promise: `${type}: ${which} leaves the others whole`,
    run: async () => {
      const [first, second] = atLeastThree(type, entity);
      const alone = await resolve(asker, type, entity, [first, second]);
      const { json, text } = await ask(asker, type, entity, [first, spoil(first), second]);
      const list = json?.data?.['_entities'] as unknown[] | undefined;
      if (JSON.stringify([list?.[0], list?.[2]]) !== JSON.stringify(alone))
        throw new Broken(told(json, text), cure);
      return list?.[1] === null ? 'null in its place' : 'an empty one in its place';
    },
  };
}

/** Asks for entities as a gateway does. */
export function ask(
  asker: Asker,
  type: string,
  { selection = '__typename' }: EntityUnderContract,
  representations: readonly Representation[],
  manner: Parameters<Asker['ask']>[1] = {},
): ReturnType<Asker['ask']> {
  const query = `query ($r: [_Any!]!) { _entities(representations: $r) { __typename ... on ${type} { ${selection} } } }`;
  const variables = { r: representations.map((one) => ({ __typename: type, ...one })) };
  return asker.ask({ query, variables }, manner);
}

async function resolve(
  asker: Asker,
  type: string,
  entity: EntityUnderContract,
  representations: readonly Representation[],
): Promise<readonly unknown[]> {
  const { status, json, text } = await ask(asker, type, entity, representations);
  const list = json?.data?.['_entities'];
  if (Array.isArray(list) && list.length === representations.length && !json?.errors?.length) return list;
  throw new Broken(
    `${status}: ${told(json, text)} ${codesOf(json).join(' ')}`.trim(),
    `answer \`_entities\` of ${type}, one entry a representation`,
  );
}

async function loads(
  asker: Asker,
  type: string,
  entity: EntityUnderContract,
  representations: readonly Representation[],
): Promise<number | null> {
  const { json } = await ask(asker, type, entity, representations, { headers: { [countLoadsHeader]: '1' } });
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
    throw new Skipped(`tell three representations of ${type} that are there`);
  return [first, second, ...rest];
}

/** A representation of the same shape that nobody has. */
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
