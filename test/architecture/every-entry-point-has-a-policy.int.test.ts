import { beforeAll, describe, expect, it } from '@jest/globals';
import type { Principal } from '@rhizome/authz';
import { createClient } from '@rhizome/client';
import { buildCore } from '@rhizome/core';
import type { ExperimentModule } from '@rhizome/experiment';
import { buildOwnSubgraph, Guards } from '@rhizome/gateway';
import { silentLogger } from '@rhizome/log';
import { createIds, systemClock } from '@rhizome/clock';
import { createInProcess, type SubgraphSchema } from '@rhizome/subgraph';
import { leftovers, testDatabase, testPrincipal } from '@rhizome/testkit';
import {
  type DocumentNode,
  getNamedType,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  parse,
  visit,
} from 'graphql';
import { experimentNames } from './repository.js';

/**
 * Fields that are open to every verified principal, by subgraph, with the reason that their policies must
 * give.
 */
const open: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  core: {
    'Query.viewer': 'a caller may read its own token',
    'Query.jobAccess': 'everybody may read the grants of and to itself; the service narrows the others',
    'Mutation.revokeJobAccess':
      'people and services may end the grants of and to them; the service checks the permission for others',
    'Principal.__resolveReference': 'gives back the subject that the caller already has',
  },
  gateway: {
    'Query.elevations': 'everybody may read the own elevations; the service narrows the others',
    'Mutation.startElevation': 'memberships say which roles a person may take',
    'Mutation.endElevation':
      'everybody may end the own elevations; the service checks the permission for others',
    'Query.proposal': 'everybody may read the own proposals; others need proposal:read',
    'Query.proposals': 'everybody may read the own proposals; others need proposal:read',
    'Query.agentBudgets': 'everybody may read the limits of the own agents; others need admin:*',
    'Query.agentStops': 'everybody may read the limits of the own agents; others need admin:*',
    'Query.mandates': 'everybody may read the own mandates; others need proposal:read',
    'Query.myAgentLimits': 'everybody may read the own limits',
    'Query.linkedIdentities': 'everybody may read the own identities',
    'Mutation.linkIdentity': 'the tokens of both identities are the evidence; the service checks them',
    'Mutation.unlinkIdentity':
      'everybody may unlink the own identities; the service checks the permission for others',
    'Mutation.revokeTokens':
      'everybody may revoke the own tokens; the service checks the permission for others',
    'Query.explainToken': 'the token itself is the evidence; for one that is not genuine no rule is shown',
  },
};

/** Fields that a person may call without a grant, since they concern this person alone. */
const own: Readonly<Record<string, readonly string[]>> = {
  core: ['Mutation.withdrawSubmissionConsent'],
  gateway: [
    ...['Mutation.createProposal', 'Mutation.approveProposal', 'Mutation.denyProposal'],
    ...[
      'Mutation.withdrawProposal',
      'Mutation.setAgentBudget',
      'Mutation.stopAgents',
      'Mutation.resumeAgents',
    ],
    ...['Mutation.grantMandate', 'Mutation.revokeMandate'],
  ],
};

/** The answer of a subgraph that lets a caller in. The gateway of the test has no store for proposals. */
const letIn = (name: string): unknown =>
  name === 'gateway' ? expect.stringMatching(/^SERVICE_UNAVAILABLE: .* keeps no proposals/) : 'let in';

const log = silentLogger();
const names = ['core', 'gateway', ...experimentNames()];
const subgraphs = new Map<string, SubgraphSchema>();

beforeAll(async () => {
  const base = { clock: systemClock, ids: createIds(), log };
  const core = leftovers.use(
    createClient({ url: 'http://127.0.0.1:9/graphql', token: 'unused' }),
    'a client',
  );
  subgraphs.set('core', buildCore({ ...base, db: await testDatabase('core') }).subgraph);
  const guards = new Guards(
    () => ({ concurrency: undefined }),
    () => base.clock.now(),
  );
  const gateway = { registry: () => undefined, guards, served: () => [], ownName: 'gateway' };
  subgraphs.set('gateway', buildOwnSubgraph(gateway));
  for (const name of experimentNames()) {
    const { experiment } = (await import(`@rhizome/${name}`)) as { experiment: ExperimentModule };
    const built = await experiment.build({ ...base, db: await testDatabase(name), core });
    subgraphs.set(name, built.subgraph);
  }
});

function subgraphOf(name: string): SubgraphSchema {
  const found = subgraphs.get(name);
  if (!found) throw new Error(`${name} was not built`);
  return found;
}

/** Fields of the federation machinery: `_entities` is guarded by each type, `_service` by `subgraph:read`. */
const machinery = new Set(['_entities', '_service']);

/** Every place where a caller can enter, read from the executable schema and the SDL alone. */
function fieldsOf({ schema, sdl }: SubgraphSchema): readonly string[] {
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
  const fields = roots.flatMap((type) =>
    Object.keys(type?.getFields() ?? {})
      .filter((field) => !machinery.has(field))
      .map((field) => `${type?.name}.${field}`),
  );
  return [...fields, ...keysOf(parse(sdl)).map(([type]) => `${type}.__resolveReference`)].sort();
}

/** Types that other subgraphs enter by, each with its first key. */
function keysOf(document: DocumentNode): readonly (readonly [string, string])[] {
  const keys = new Map<string, string>();
  const take = (node: { name: { value: string }; directives?: readonly DirectiveOf[] | undefined }): void => {
    for (const { name, arguments: given = [] } of node.directives ?? []) {
      const value = (of: string) => given.find((argument) => argument.name.value === of)?.value;
      const [resolvable, fields] = [value('resolvable'), value('fields')];
      if (name.value !== 'key' || (resolvable?.kind === Kind.BOOLEAN && !resolvable.value)) continue;
      if (fields?.kind === Kind.STRING && !keys.has(node.name.value)) keys.set(node.name.value, fields.value);
    }
  };
  visit(document, {
    ObjectTypeDefinition: take,
    ObjectTypeExtension: take,
    InterfaceTypeDefinition: take,
    InterfaceTypeExtension: take,
  });
  return [...keys];
}

type DirectiveOf = NonNullable<
  Extract<DocumentNode['definitions'][number], { kind: Kind.OBJECT_TYPE_DEFINITION }>['directives']
>[number];

/** A value that the type accepts: policies read what is required of them. */
function valueOf(type: GraphQLInputType): unknown {
  if (isNonNullType(type)) return valueOf(type.ofType);
  if (isListType(type)) return [valueOf(type.ofType)];
  if (isEnumType(type)) return type.getValues()[0]?.name;
  if (isInputObjectType(type)) {
    const fields = Object.values(type.getFields());
    const needed = type.isOneOf ? fields.slice(0, 1) : fields.filter((field) => isNonNullType(field.type));
    return Object.fromEntries(needed.map((field) => [field.name, valueOf(field.type)]));
  }
  const plain: Readonly<Record<string, unknown>> = {
    Int: 1,
    Float: 1,
    SafeInt: 1,
    Boolean: true,
    DateTime: '2030-01-01T00:00:00Z',
  };
  return plain[type.name] ?? 'x';
}

/** An operation that enters by a root field, with the arguments it must have. */
function callOf(
  kind: string,
  field: GraphQLField<unknown, unknown>,
): { text: string; variables: Record<string, unknown> } {
  const needed = field.args.filter(({ type }) => isNonNullType(type));
  const declared = needed.map(({ name, type }) => `$${name}: ${String(type)}`).join(', ');
  const given = needed.map(({ name }) => `${name}: $${name}`).join(', ');
  const selection = isObjectType(getNamedType(field.type)) ? ' { __typename }' : '';
  return {
    text: `${kind}${declared && ` (${declared})`} { ${field.name}${given && `(${given})`}${selection} }`,
    variables: Object.fromEntries(needed.map(({ name, type }) => [name, valueOf(type)])),
  };
}

function operationFor({ schema, sdl }: SubgraphSchema, coordinate: string) {
  const [type = '', field = ''] = coordinate.split('.');
  if (field === '__resolveReference') {
    const key = new Map(keysOf(parse(sdl))).get(type) ?? '';
    const of = [{ __typename: type, ...Object.fromEntries(key.split(/\s+/).map((name) => [name, 'x'])) }];
    return {
      text: 'query ($of: [_Any!]!) { _entities(representations: $of) { __typename } }',
      variables: { of },
    };
  }
  const found = rootField(schema, type, field);
  return callOf(type.toLowerCase(), found);
}

function rootField(schema: GraphQLSchema, type: string, field: string): GraphQLField<unknown, unknown> {
  const root = schema.getType(type);
  const found = isObjectType(root) ? root.getFields()[field] : undefined;
  if (!found) throw new Error(`there is no ${type}.${field}`);
  return found;
}

/** Error code that a caller without any grant gets from a field. */
async function codeFor(subgraph: SubgraphSchema, coordinate: string, principal: Principal): Promise<unknown> {
  const { text, variables } = operationFor(subgraph, coordinate);
  const executable = createInProcess({ subgraph, log });
  const call = { document: parse(text), variables, principal, requestId: 'test' };
  if (!coordinate.startsWith('Subscription.')) return codeOf(await executable.execute(call));
  for await (const result of executable.subscribe(call)) return codeOf(result);
  return 'nothing';
}

function codeOf({
  errors,
}: {
  readonly errors?: readonly { readonly message: string; readonly extensions?: object }[];
}): unknown {
  const [error] = errors ?? [];
  if (!error) return 'let in';
  const { code } = error.extensions as { code?: string };
  return code === 'FORBIDDEN' ? code : `${code}: ${error.message}`;
}

describe.each(names)('%s', (name) => {
  it('has a policy for each root field, subscription and reference resolver', () => {
    const subgraph = subgraphOf(name);
    const fields = fieldsOf(subgraph);
    const guarded = subgraph.entryPoints
      .filter(({ kind }) => kind !== 'field')
      .map((coordinate) => coordinate.name);
    expect(guarded.sort()).toEqual(fields);
    expect(fields.length).toBeGreaterThan(3);
  });

  it('lists the reason of every open field here', () => {
    const reasons = subgraphOf(name).entryPoints.flatMap((coordinate) =>
      coordinate.kind !== 'field' && 'open' in coordinate.policy
        ? [[coordinate.name, coordinate.policy.open] as const]
        : [],
    );
    expect(Object.fromEntries(reasons)).toEqual(open[name] ?? {});
  });

  it('refuses a caller without grants at every other field', async () => {
    const subgraph = subgraphOf(name);
    const nobody = testPrincipal({ subject: 'nobody@example', grants: {} });
    const closed = fieldsOf(subgraph).filter((coordinate) => !(coordinate in (open[name] ?? {})));
    const found: Record<string, unknown> = {};
    for (const coordinate of closed) found[coordinate] = await codeFor(subgraph, coordinate, nobody);
    const expected = closed.map((coordinate) => [
      coordinate,
      own[name]?.includes(coordinate) ? letIn(name) : 'FORBIDDEN',
    ]);
    expect(found).toEqual(Object.fromEntries(expected));
  });
});
