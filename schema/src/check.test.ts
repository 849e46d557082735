import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { checkSubgraph, type CheckReport, type GraphSubgraph } from './check.js';
import { compose } from './compose.js';
import { discoverSubgraphs, gatewaySubgraph } from './discover.js';
import { cures } from './findings.js';
import { canonicalSdl, completeSdl, sdlDigest } from './shared-definitions.js';

const root = resolve(fileURLToPath(new URL('.', import.meta.url)), '..', '..');

const coreSdl = `
  "A job."
  type Job @key(fields: "id") {
    "Its id."
    id: ID!
    "Its name."
    name: String
    "How it is."
    state: JobState!
  }
  "States."
  enum JobState {
    "It runs."
    RUNNING
    "It ended."
    ENDED
  }
  "Which jobs."
  input JobFilter {
    "By name."
    name: String
  }
  type Query {
    "Jobs."
    jobs("Which." filter: JobFilter): [Job!]!
  }
`;
const heronSdl = `
  type Job @key(fields: "id") {
    id: ID!
    "What Heron knows of it."
    heron: HeronJob
  }
  "What Heron knows of a job."
  type HeronJob {
    "The nest."
    nest: String
    "Birds."
    birds: Int
  }
`;

function subgraph(name: string, sdl: string, typePrefix: string | null = null): GraphSubgraph {
  return { name, url: `http://${name}.example/graphql`, sdl: completeSdl(sdl), typePrefix };
}

const core = subgraph('core', coreSdl);
const heron = subgraph('heron', heronSdl, 'Heron');

function publicOf(subgraphs: readonly GraphSubgraph[]): string {
  const composed = compose(subgraphs);
  if (!composed.ok) throw new Error(JSON.stringify(composed.faults));
  return composed.publicSdl;
}

/** Checks Egret, which is new, against core and Heron. */
function checkEgret(sdl: string): Promise<CheckReport> {
  const others = [core, heron];
  return checkSubgraph({
    candidate: subgraph('egret', sdl, 'Egret'),
    others,
    livePublicSdl: publicOf(others),
  });
}

const egretJob = `
  type Job @key(fields: "id") { id: ID! "Egret's part." egret: EgretJob }
  "Egret's part."
  type EgretJob { "A size in metres." size: Float }
`;

const submitNest = `${egretJob}
  type Mutation { "Submits." submitEgretNest("It." input: SubmitEgretNestInput!): SubmitEgretNestPayload! }
  "A nest." input SubmitEgretNestInput { "Its size." size: Float }
  "The answer." type SubmitEgretNestPayload { "Why it was refused." userErrors: [SubmitEgretNestUserError!]! }
  "A reason." type SubmitEgretNestUserError implements UserError {
    "Text." message: String! "Path." path: [String!]! "Code." code: SubmitEgretNestUserErrorCode!
  }
  "Codes." enum SubmitEgretNestUserErrorCode { "Malformed." INVALID_VALUE }`;

describe('checkSubgraph', () => {
  const found = [...discoverSubgraphs(root), gatewaySubgraph(root)].map((one) => ({
    ...one,
    typePrefix: one.manifest?.typePrefix ?? null,
  }));

  it.each(found.map((one) => [one.name, one] as const))('passes %s against the others', async (_, one) => {
    const others = found.filter(({ name }) => name !== one.name);
    const { findings, changes } = await checkSubgraph({
      candidate: one,
      others,
      livePublicSdl: publicOf(found),
    });
    expect({ findings, changes }).toEqual({ findings: [], changes: [] });
  });
});

describe('check of a subgraph', () => {
  it('permits an experiment its own additions, and lists them', async () => {
    const { findings, changes, supergraphSdl } = await checkEgret(egretJob);
    expect(findings).toEqual([]);
    expect(changes.map(({ severity, where }) => `${severity} ${where}`)).toEqual([
      'SAFE EgretJob',
      'SAFE EgretJob.size',
      'SAFE Job.egret',
    ]);
    expect(supergraphSdl).toContain('EGRET @join__graph(name: "egret", url: "http://egret.example/graphql")');
  });

  it('permits types that are named after a mutation of the experiment', async () => {
    const { findings } = await checkEgret(submitNest);
    expect(findings).toEqual([]);
    const others = [core, heron];
    const candidate = subgraph('egret', egretJob, 'Egret');
    const livePublicSdl = publicOf([...others, subgraph('egret', submitNest, 'Egret')]);
    const without = await checkSubgraph({ candidate, others, livePublicSdl });
    expect(without.findings).toEqual([]);
    expect(without.changes.map(({ where }) => where)).toContain('SubmitEgretNestInput');
  });

  it.each<[keyof typeof cures, string, string, string]>([
    ['parse', 'egret', 'a text that is no SDL', 'type {'],
    [
      'silent-merge',
      'Dataset',
      'an entity that another experiment has, too',
      `${egretJob} "A set." type Dataset @key(fields: "id") { "Id." id: ID! "Rows." rows: Int }`,
    ],
    [
      'vanishing-input-field',
      'HeronFilter',
      'an input of two subgraphs with a field of one',
      `${egretJob} "F." input HeronFilter { "A." a: Int "Extra." extra: Int }`,
    ],
    [
      'enum-union',
      'HeronColour',
      'an enum of two subgraphs with other values',
      `${egretJob} "C." enum HeronColour { "G." GREY "W." WHITE }`,
    ],
    [
      'description-conflict',
      'Job.id',
      'other words for what core describes',
      egretJob.replace('id: ID!', '"The number of an egret." id: ID!'),
    ],
    ['description-conflict', 'Job', 'other words for a type of core', `"A bird's job." ${egretJob.trim()}`],
    [
      'description-conflict',
      'PageInfo',
      'other words for a shared definition',
      `extend schema @link(url: "https://specs.apollo.dev/federation/v2.7", import: ["@key", "@shareable"]) ${egretJob}
       "Other words." type PageInfo @shareable { hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String }`,
    ],
    [
      'shared-definition',
      'PageInfo',
      'a shared word with other fields',
      `extend schema @link(url: "https://specs.apollo.dev/federation/v2.7", import: ["@key", "@shareable"]) ${egretJob}
       type PageInfo @shareable { hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String more: Int }`,
    ],
    ['prefix', 'Nest', 'a type without the prefix', `${egretJob} "N." type Nest { "A." a: Int }`],
    [
      'prefix',
      'SubmitEgretEggInput',
      'an input that is named after a mutation that is not there',
      `${egretJob} "I." input SubmitEgretEggInput { "A." a: Int }`,
    ],
    [
      'prefix',
      'SubmitEgretNestResult',
      'a type that adds another ending to the name of a mutation',
      `${submitNest} "R." type SubmitEgretNestResult { "A." a: Int }`,
    ],
    [
      'prefix',
      'SubmitNestInput',
      'an input that is named after a mutation without the name of the experiment',
      `${egretJob} type Mutation { "S." submitNest("I." input: SubmitNestInput): Int } "I." input SubmitNestInput { "A." a: Int }`,
    ],
    [
      'nullable',
      'Job.egret',
      'a contribution that is not nullable',
      egretJob.replace('egret: EgretJob', 'egret: EgretJob!'),
    ],
    [
      'one-field',
      'Job.size',
      'a second field on an entity of core',
      egretJob.replace('egret: EgretJob', 'size: EgretJob'),
    ],
    [
      'redefinition',
      'JobState',
      'a type of core',
      `${egretJob} "States." enum JobState { "It runs." RUNNING "It ended." ENDED }`,
    ],
    [
      'redefinition',
      'Job.id',
      "a mark on core's field",
      egretJob.replace('id: ID!', 'id: ID! @inaccessible'),
    ],
    [
      'redefinition',
      'Job',
      'an interface put on an entity of core',
      `${egretJob.replace('type Job @key', 'type Job implements EgretThing @key')} "T." interface EgretThing { "Id." id: ID! }`,
    ],
    ['composition', 'Job.name', 'a field of core', egretJob.replace('id: ID!', 'id: ID! "N." name: String')],
    ['description', 'EgretJob.size', 'no description', egretJob.replace('"A size in metres."', '')],
    [
      'mutation-name',
      'Mutation.doIt',
      "a mutation without the experiment's name",
      `${egretJob} type Mutation { "Does." doIt: Int }`,
    ],
    [
      'subscription-name',
      'Subscription.all',
      "a stream without the experiment's name",
      `${egretJob} type Subscription { "All." all: Int }`,
    ],
    [
      'foreign-change',
      'Job.id',
      "core's field hidden by a tag of the schema",
      egretJob.replace('id: ID!', 'id: ID! @inaccessible'),
    ],
  ])('fails by rule %s at %s: %s', async (rule, where, _, sdl) => {
    const shared = subgraph(
      'heron',
      `${heronSdl} "A set." type Dataset @key(fields: "id") { "Id." id: ID! "Size in bytes." size: Int }
       "F." input HeronFilter { "A." a: Int } "C." enum HeronColour { "G." GREY "B." BLUE }
       extend type HeronJob { "Colour." colour(a: HeronFilter): HeronColour "Set." set: Dataset }`,
      'Heron',
    );
    const others = [core, shared];
    let completed: string;
    try {
      completed = completeSdl(sdl);
    } catch {
      completed = sdl;
    }
    const candidate = { ...subgraph('egret', egretJob, 'Egret'), sdl: completed };
    const { findings } = await checkSubgraph({ candidate, others, livePublicSdl: publicOf(others) });
    const found = findings.filter((one) => one.rule === rule && one.where === where);
    if (rule === 'foreign-change') {
      // Reported once, by the more specific rule.
      expect(findings.map(({ where: place }) => place)).toContain(where);
      return;
    }
    expect(found.length > 0 ? [] : findings).toEqual([]);
    const [first] = found;
    expect(first?.cure).toBe(cures[rule]);
    expect(first?.message.includes(where) || rule === 'parse').toBe(true);
  });

  describe('with a second subgraph of core', () => {
    const registry = (job: string): GraphSubgraph =>
      subgraph(
        'registry',
        `${job}
         type Query { "Checks." checks: [Check!]! }
         "A check." type Check { "Job that made it." by: Job! }`,
      );
    const reference = registry('extend type Job @key(fields: "id", resolvable: false) { id: ID! }');
    const check = (candidate: GraphSubgraph, others: readonly GraphSubgraph[]): Promise<CheckReport> =>
      checkSubgraph({ candidate, others, livePublicSdl: publicOf([candidate, ...others]) });

    it('permits a reference to an entity, in each order of publication', async () => {
      for (const [candidate, other] of [
        [core, reference],
        [reference, core],
      ] as const)
        expect((await check(candidate, [other, heron])).findings).toEqual([]);
    });

    it('reports an entity that both can resolve as a silent merge', async () => {
      const second = registry('type Job @key(fields: "id") { "Its id." id: ID! }');
      const { findings } = await check(second, [core]);
      expect(findings).toContainEqual(expect.objectContaining({ rule: 'silent-merge', where: 'Job' }));
    });

    it('reports a reference with a field of its own as a silent merge', async () => {
      const second = registry(
        'type Job @key(fields: "id", resolvable: false) { "Its id." id: ID! "Its size." size: Int }',
      );
      const { findings } = await checkSubgraph({
        candidate: second,
        others: [core],
        livePublicSdl: publicOf([core]),
      });
      expect(findings).toContainEqual(expect.objectContaining({ rule: 'silent-merge', where: 'Job' }));
    });

    it('compares an experiment with the owner of an entity, not with a reference to it', async () => {
      const words = egretJob.replace('{ id: ID!', '{ "Another text." id: ID!');
      const { findings } = await check(subgraph('egret', words, 'Egret'), [reference, core]);
      expect(findings.map(({ rule, where }) => `${rule} ${where}`)).toEqual(['description-conflict Job.id']);
    });
  });

  it('reports a breaking change of core, and the coordinates whose usage matters', async () => {
    const candidate = subgraph(
      'core',
      coreSdl
        .replace('"Its name."\n    name: String', '')
        .replace('"It ended."\n    ENDED', '')
        .replace('"By name."\n    name: String', '"By id."\n    id: ID')
        .replace(
          'jobs("Which." filter: JobFilter)',
          'jobs("Which." filter: JobFilter, "How many." first: Int!)',
        ),
    );
    const { findings, changes } = await checkSubgraph({
      candidate,
      others: [heron],
      livePublicSdl: publicOf([core, heron]),
    });
    expect(findings).toEqual([]);
    const breaking = changes.filter(({ severity }) => severity === 'BREAKING');
    expect(Object.fromEntries(breaking.map(({ where, usedAs }) => [where, usedAs]))).toEqual({
      'Job.name': ['Job.name'],
      'JobFilter.name': ['JobFilter'],
      'JobState.ENDED': ['JobState'],
      'Query.jobs.first': ['Query.jobs'],
    });
  });

  it('fails when core removes a type that an experiment extends', async () => {
    const candidate = subgraph(
      'core',
      '"A task." type Task @key(fields: "id") { "Id." id: ID! } type Query { "T." task: Task }',
    );
    const { findings, supergraphSdl } = await checkSubgraph({
      candidate,
      others: [
        subgraph(
          'heron',
          heronSdl
            .replace('id: ID!', 'id: ID! name: String @external')
            .replace('heron: HeronJob', 'heron: HeronJob @requires(fields: "name")'),
          'Heron',
        ),
      ],
      livePublicSdl: publicOf([core, heron]),
    });
    expect(supergraphSdl).toBeNull();
    expect(findings.map(({ rule }) => rule)).toContain('composition');
  });
});

describe('canonicalSdl', () => {
  const one = `"""\nA job.\n""" type Job @key(fields: "id") @shareable { "Id." id: ID! a(y: Int, x: Int): Int } enum E { B A }`;
  const same = `enum E { A B } "A job." type Job @shareable @key(fields: "id") { a(x: Int, y: Int): Int """Id.""" id: ID! }`;

  it('is the same for texts that differ in order and white space alone', () => {
    expect(canonicalSdl(same)).toBe(canonicalSdl(one));
    expect(sdlDigest(same)).toBe(sdlDigest(one));
  });

  it.each([
    ['a type', one.replace('id: ID!', 'id: ID')],
    ['a description', one.replace('Id.', 'The id.')],
    ['an argument of a directive', one.replace('fields: "id"', 'fields: "a"')],
  ])('differs with %s', (_, other) => {
    expect(sdlDigest(other)).not.toBe(sdlDigest(one));
  });
});
