import { describe, expect, it } from '@jest/globals';
import { buildSchema } from 'graphql';
import { checkOperations, distinctTools } from './check.js';
import { brokenBy, operationFindings } from './findings.js';
import { inputSchemaOf } from './input-schema.js';
import { joinOperations, type OfferingSubgraph, readOperations } from './read.js';

const sdl = `
  scalar DateTime
  type Query { job(id: ID!): Job jobs(filter: Filter, order: Order = NEWEST): [Job!]! }
  type Mutation { cancel(id: ID!): Job retry(input: Choice!): Job }
  type Job { id: ID! name: String }
  enum Order { NEWEST OLDEST }
  input Filter { ids: [ID!], from: DateTime, any: [Filter!] }
  input Choice @oneOf { id: ID, name: String }
`;
const schema = buildSchema(sdl);
const core = (agentOperations: string): OfferingSubgraph => ({
  name: 'core',
  typePrefix: null,
  agentOperations,
});
const heron = (agentOperations: string): OfferingSubgraph => ({
  name: 'heron',
  typePrefix: 'Heron',
  agentOperations,
});
const job = '"Shows a job." query Job("Its id." $id: ID!) { job(id: $id) { id } }';

const faultsOf = (text: string, of = core): readonly string[] =>
  checkOperations(of(text), schema).faults.map(({ message }) => message);

describe('checkOperations', () => {
  it('gives tools with the name of the experiment in front, and mutations become proposals', () => {
    const text = joinOperations([
      job,
      '"Cancels." mutation HeronCancel("Its id." $id: ID!) @tool(stakes: UNDOABLE) { cancel(id: $id) { id } }',
      '"Retries." mutation RetryJob("What." $input: Choice!) { retry(input: $input) { id } }',
    ]);
    const { operations, faults } = checkOperations(heron(text), schema);
    expect(faults).toEqual([]);
    expect(operations.map(({ tool, stakes }) => [tool, stakes]).sort()).toEqual([
      ['heron_job', null],
      ['propose_heron_cancel', 'UNDOABLE'],
      ['propose_heron_retry_job', 'IRREVERSIBLE'],
    ]);
  });

  it('sends operations without descriptions and without @tool', () => {
    const [operation] = checkOperations(
      core(job.replace('{ job(', '@tool(title: "A job") { job(')),
      schema,
    ).operations;
    expect(operation).toMatchObject({ title: 'A job', description: 'Shows a job.' });
    expect(operation?.text.replace(/\s+/g, ' ')).toBe('query Job($id: ID!) { job(id: $id) { id } }');
  });

  it.each([
    [
      'an operation that does not fit the schema',
      job.replace('{ id }', '{ size }'),
      'Cannot query field "size"',
    ],
    ['one without a description', 'query Job("Id." $id: ID!) { job(id: $id) { id } }', 'no description'],
    ['a variable without one', '"A." query Job($id: ID!) { job(id: $id) { id } }', '$id has no description'],
    ['one without a name', '"A." query { jobs { id } }', 'no name'],
    ['a subscription', '"A." subscription Job { job }', 'cannot be a tool'],
    ['a fragment', `${job} fragment F on Job { id }`, 'FragmentDefinition is not an operation'],
    ['a name twice', `${job} ${job}`, '"job" occurs twice'],
    ['a name of the gateway', '"A." query RunQuery { jobs { id } }', 'the gateway has a tool "run_query"'],
    [
      'two changes at once',
      '"A." mutation M { a: cancel(id: 1) { id } b: cancel(id: 2) { id } }',
      'one root field',
    ],
    [
      'an address in a description',
      '"See https://evil.test." query Jobs { jobs { id } }',
      'addresses of pages',
    ],
    ['invisible characters', '"A\\u202e." query Jobs { jobs { id } }', 'invisible characters'],
    ['a long first sentence', `"${'a '.repeat(70)}." query Jobs { jobs { id } }`, 'the first sentence'],
    ['an unknown setting', '"A." query Jobs @tool(scope: "x") { jobs { id } }', 'no such argument'],
    ['another directive', '"A." query Jobs @cached { jobs { id } }', '@cached is not possible here'],
    ['text that is not GraphQL', '"A." query Jobs {', 'Syntax Error'],
    [
      'too many operations',
      Array.from({ length: 17 }, (_, n) => `"A." query J${n} { jobs { id } }`).join(' '),
      'at most 16',
    ],
    ['a query with the name of a proposal', '"A." query ProposeX { jobs { id } }', 'begin with "propose_"'],
    ['too many fields', `"A." query J { jobs { ${'id '.repeat(201)} } }`, 'must be at most 200'],
    ['a text of too many parts', `"A." query J { jobs { ${'id '.repeat(20_000)} } }`, 'Syntax Error'],
    [
      'a nesting that nothing can follow',
      `"A." query J { jobs(filter: ${'{any: '.repeat(9000)}[]${'}'.repeat(9000)}) { id } }`,
      'Maximum call stack size exceeded',
    ],
    ['a text that is too long', `# ${'x'.repeat(64_001)}\n${job}`, 'at most 64000'],
  ])('refuses %s', (_what, text, message) => {
    expect(faultsOf(text).join('\n')).toContain(message);
  });

  it('refuses trusted texts of an experiment', () => {
    const text = '"A." query Jobs @tool(trusted: ["jobs.name"]) { jobs { id } }';
    expect(faultsOf(text)).toEqual([]);
    expect(faultsOf(text, heron)[0]).toContain('only subgraphs of core');
  });

  it('bounds the definitions of a tool and of an experiment', () => {
    const argumentsOf = (count: number): string =>
      Array.from({ length: count }, (_, n) => `"${'a '.repeat(25)}" $v${n}: ID!`).join(' ');
    const jobsOf = (count: number): string =>
      Array.from({ length: count }, (_, n) => `j${n}: job(id: $v${n}) { id }`).join(' ');
    const large = `"A." query Large(${argumentsOf(40)}) { ${jobsOf(40)} }`;
    expect(faultsOf(large).join()).toMatch(/its definition has \d+ characters; must be at most 3000/);
    const many = Array.from({ length: 9 }, (_, n) => `"A." query J${n} { jobs { id } }`).join(' ');
    expect(faultsOf(many)).toEqual([]);
    expect(faultsOf(many, heron)).toEqual(['the tools of a subgraph of this kind are at most 8']);
    const wordy = Array.from(
      { length: 4 },
      (_, n) => `"A." query W${n}(${argumentsOf(18)}) { ${jobsOf(18)} }`,
    ).join(' ');
    expect(faultsOf(wordy)).toEqual([]);
    expect(faultsOf(wordy, heron).join()).toMatch(/definitions of the tools have \d+ characters so far/);
  });

  it('keeps names of core from those of experiments', () => {
    const my: OfferingSubgraph = {
      name: 'my',
      typePrefix: 'My',
      agentOperations: '"A." query MyJob { jobs { id } }',
    };
    const both = [my, core('"A." query MyJob { jobs { id } }')];
    const { operations, faults } = distinctTools(
      both.flatMap((one) => checkOperations(one, schema).operations),
    );
    expect(operations.map(({ subgraph }) => subgraph)).toEqual(['core']);
    expect(faults).toEqual([
      { subgraph: 'my', operation: 'MyJob', message: expect.stringContaining('"core" has a tool "my_job"') },
    ]);
    expect(operationFindings(both, sdl)[0]?.where).toBe('my.MyJob');
  });

  it('leaves out only what is wrong', () => {
    const { operations } = readOperations(core(`${job} query Bad { jobs { id } }`));
    expect(operations.map(({ tool }) => tool)).toEqual(['job']);
  });

  it('reports as broken only what a change broke', () => {
    const text = `${job} "Names." query Names { jobs { name } } "Old." query Old { jobs { size } }`;
    const next = sdl.replace('name: String }', '}').replace('type Job { id: ID! }', 'type Job { id: ID! }');
    const found = brokenBy([core(text)], sdl, next);
    expect(found.map(({ rule, where }) => [rule, where])).toEqual([['agent-operation', 'core.Names']]);
    expect(brokenBy([core(text)], sdl, sdl)).toEqual([]);
  });
});

describe('inputSchemaOf', () => {
  const schemaOf = (text: string) => {
    const [operation] = checkOperations(core(text), schema).operations;
    if (!operation) throw new Error('The operation is not valid.');
    return inputSchemaOf(operation.node, schema);
  };

  it('keeps what is required, defaults, enums, dates and bounds of lists', () => {
    const text =
      `"A." query Jobs($me: String, "Ids." $ids: [ID!]!, "Order." $order: Order = OLDEST, "Start." $from: DateTime) {
      jobs(filter: { ids: $ids, from: $from }, order: $order) { id name @include(if: true) }
      job(id: $me) { id }
    }`
        .replace('job(id: $me)', 'job(id: "1")')
        .replace('$me: String, ', '');
    expect(schemaOf(text)).toEqual({
      type: 'object',
      properties: {
        ids: { type: 'array', items: { type: 'string' }, maxItems: 100, description: 'Ids.' },
        order: { type: 'string', enum: ['NEWEST', 'OLDEST'], default: 'OLDEST', description: 'Order.' },
        from: { type: 'string', format: 'date-time', description: 'Start.' },
      },
      required: ['ids'],
      additionalProperties: false,
    });
  });

  it('refers to inputs that contain themselves, and takes exactly one field of a choice', () => {
    expect(schemaOf('"A." query Jobs("F." $filter: Filter) { jobs(filter: $filter) { id } }')).toMatchObject({
      properties: { filter: { $ref: '#/$defs/Filter' } },
      $defs: {
        Filter: { properties: { any: { items: { $ref: '#/$defs/Filter' } } }, additionalProperties: false },
      },
    });
    expect(
      schemaOf('"A." mutation Retry("C." $input: Choice!) { retry(input: $input) { id } }'),
    ).toMatchObject({
      properties: { input: { minProperties: 1, maxProperties: 1, additionalProperties: false } },
    });
  });

  it('grows with the number of inputs, not with the paths to them', () => {
    const inputs = Array.from({ length: 30 }, (_, n) => `input X${n} { a: X${n + 1} b: X${n + 1} }`);
    const deep = buildSchema(`type Query { x(x: X0): ID } ${inputs.join(' ')} input X30 { id: ID }`);
    const text = '"A." query X("I." $x: X0) { x(x: $x) }';
    const [operation] = readOperations(core(text)).operations;
    if (!operation) throw new Error('The operation is not valid.');
    const shape = inputSchemaOf(operation.node, deep);
    expect(Object.keys(shape['$defs'] as object)).toHaveLength(30);
    expect(shape).toMatchObject({ properties: { x: { properties: { a: { $ref: '#/$defs/X1' } } } } });
    expect(checkOperations(core(text), deep).faults[0]?.message).toMatch(/its definition has \d+ characters/);
  });

  it('takes large enums as texts', () => {
    const values = Array.from({ length: 51 }, (_, n) => `V${n}`).join(' ');
    const large = buildSchema(`type Query { x(e: E): ID } enum E { ${values} }`);
    const [operation] = checkOperations(core('"A." query X("E." $e: E) { x(e: $e) }'), large).operations;
    expect(operation?.inputSchema).toMatchObject({
      properties: { e: { type: 'string', description: 'E.' } },
    });
    expect(JSON.stringify(operation?.inputSchema)).not.toContain('V0');
  });

  it('leaves out the caller, which the gateway fills in', () => {
    expect(schemaOf('"A." query Mine($me: ID!) { job(id: $me) { id } }')).toMatchObject({ properties: {} });
  });
});
