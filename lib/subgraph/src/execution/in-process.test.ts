import { describe, expect, it } from '@jest/globals';
import { parse } from 'graphql';
import { plantStream, reader, setUp, turn, who } from './in-process.fixture.js';
import type { ExecutionMode } from './operation.js';

describe.each<ExecutionMode>(['jit', 'interpreted'])('in process, %s', (mode) => {
  describe('policies', () => {
    it('refuses a call before its resolver runs', async () => {
      const { run, ran } = setUp(mode);
      const refused = await run('{ plants { id } }', {}, who(undefined));
      expect(refused.data).toBeNull();
      expect(refused.errors?.[0]).toMatchObject({
        path: ['plants'],
        extensions: { code: 'FORBIDDEN', action: 'job:read', retry: 'never', requestId: 'req-1' },
      });
      expect(ran).toEqual([]);
      await run('{ plants { id } }');
      expect(ran).toEqual(['plants']);
    });

    it('reads the arguments', async () => {
      const { run } = setUp(mode);
      expect((await run('{ plants(experiment: "alpha") { id } }')).errors).toBeUndefined();
      const refused = await run('query Q($e: String) { plants(experiment: $e) { id } }', { e: 'beta' });
      expect(refused.errors?.[0]?.message).toMatch(/may not job:read in "beta"/);
    });

    it('nulls only the refused field if it is nullable', async () => {
      const { run } = setUp(mode);
      const answer = await run('{ plant(id: "1") { name } me }', {}, who('READER', 'nobody'));
      expect(answer.data).toEqual({ plant: { name: 'fern' }, me: null });
      expect(answer.errors).toHaveLength(1);
      expect(answer.errors?.[0]).toMatchObject({ path: ['me'], extensions: { code: 'FORBIDDEN' } });
    });

    it('refuses a mutation before it changes anything', async () => {
      const { run, names } = setUp(mode);
      const rename = 'mutation { rename(id: "1", name: "oak") { name } }';
      expect((await run(rename)).errors?.[0]?.extensions).toMatchObject({ code: 'FORBIDDEN' });
      expect(names.get('1')).toBe('fern');
      expect((await run(rename, {}, who('USER'))).data).toEqual({ rename: { name: 'oak' } });
    });

    it('refuses a stream before it opens', async () => {
      const { open, streams } = setUp(mode);
      const items = [];
      for await (const item of open(plantStream, who(undefined))) items.push(item);
      expect(items).toEqual([
        { errors: [expect.objectContaining({ extensions: expect.objectContaining({ code: 'FORBIDDEN' }) })] },
      ]);
      expect(streams).toEqual([]);
    });

    it('refuses entities', async () => {
      const { run, batches } = setUp(mode);
      const answer = await run(
        'query ($r: [_Any!]!) { _entities(representations: $r) { ... on Plant { name } } }',
        { r: [{ __typename: 'Plant', id: '1' }] },
        who(undefined),
      );
      expect(answer.data).toEqual({ _entities: [null] });
      expect(answer.errors?.[0]).toMatchObject({ path: ['_entities', 0], extensions: { code: 'FORBIDDEN' } });
      expect(batches).toEqual([]);
    });

    it('restricts the SDL to callers who may read subgraphs', async () => {
      const { run, subgraph } = setUp(mode);
      expect((await run('{ _service { sdl } }')).errors?.[0]?.extensions).toMatchObject({
        code: 'FORBIDDEN',
      });
      expect((await run('{ _service { sdl } }', {}, who('OPERATOR'))).data).toEqual({
        _service: { sdl: subgraph.sdl },
      });
    });
  });

  describe('an entity', () => {
    const entities =
      'query ($r: [_Any!]!) { _entities(representations: $r) { __typename ... on Plant { id name } ... on Bed { id } } }';
    const plant = (id: string) => ({ __typename: 'Plant', id });

    it('is loaded in one batch with others, in order, each key once, and null if missing', async () => {
      const { run, batches } = setUp(mode);
      const answer = await run(entities, { r: ['3', '9', '1', '3'].map(plant) });
      expect(answer.errors).toBeUndefined();
      expect(answer.data?.['_entities']).toEqual([
        { __typename: 'Plant', id: '3', name: 'ivy' },
        null,
        { __typename: 'Plant', id: '1', name: 'fern' },
        { __typename: 'Plant', id: '3', name: 'ivy' },
      ]);
      expect(batches).toEqual(['Plant:3,9,1']);
    });

    it('is loaded in one batch with those of its type', async () => {
      const { run, batches } = setUp(mode);
      const bed = { __typename: 'Bed', id: 'east' };
      const answer = await run(entities, { r: [plant('1'), bed, plant('2')] });
      expect(answer.data?.['_entities']).toMatchObject([
        { name: 'fern' },
        { __typename: 'Bed', id: 'east' },
        { name: 'moss' },
      ]);
      expect([...batches].sort()).toEqual(['Bed:east', 'Plant:1,2']);
    });

    it('fails alone', async () => {
      const { run } = setUp(mode);
      const answer = await run(entities, { r: [plant('1'), plant('bad'), plant('2')] });
      expect(answer.data?.['_entities']).toMatchObject([{ name: 'fern' }, null, { name: 'moss' }]);
      expect(answer.errors).toHaveLength(1);
      expect(answer.errors?.[0]?.path).toEqual(['_entities', 1]);
    });

    it('is rejected if it belongs to another subgraph or has no key', async () => {
      const { run } = setUp(mode);
      const answer = await run(entities, { r: [{ __typename: 'Shed', id: '1' }, { __typename: 'Plant' }] });
      expect(answer.data?.['_entities']).toEqual([null, null]);
      expect(answer.errors?.[0]).toMatchObject({
        path: ['_entities', 0],
        extensions: { code: 'BAD_USER_INPUT' },
      });
    });

    it('can be frozen', async () => {
      const { run } = setUp(mode);
      const answer = await run(entities, { r: [{ __typename: 'Bed', id: 'east' }] });
      expect(answer).toEqual({ data: { _entities: [{ __typename: 'Bed', id: 'east' }] } });
    });
  });

  describe('a loader', () => {
    it('batches object-to-object fields over a list', async () => {
      const { run, batches } = setUp(mode);
      const answer = await run('{ plants { bed { id } } }');
      expect(answer.data).toEqual({
        plants: [{ bed: { id: 'east' } }, { bed: { id: 'east' } }, { bed: { id: 'west' } }],
      });
      expect(batches).toEqual(['Bed:east,west']);
    });

    it('keeps its cache for one operation', async () => {
      const { run, batches } = setUp(mode);
      const twice = '{ a: plant(id: "1") { name } b: plant(id: "1") { name } }';
      await run(twice);
      await run(twice);
      expect(batches).toEqual(['Plant:1', 'Plant:1']);
    });

    it('keeps its cache for one event of a stream, so that the next event sees changes', async () => {
      const { open, streams, names, batches } = setUp(mode);
      const stream = open(plantStream);
      const first = stream.next();
      await turn();
      streams[0]?.feed.push({ cursor: 'c1', id: '1' });
      expect((await first).value).toEqual({
        data: { plantChanged: { cursor: 'c1', plant: { id: '1', name: 'fern' } } },
      });
      names.set('1', 'oak');
      streams[0]?.feed.push({ cursor: 'c2', id: '1' });
      expect((await stream.next()).value).toMatchObject({
        data: { plantChanged: { plant: { name: 'oak' } } },
      });
      expect(batches).toEqual(['Plant:1', 'Plant:1']);
      await stream.return();
    });
  });

  describe('an error', () => {
    it('is masked if unexpected and has the request id', async () => {
      const { run } = setUp(mode);
      const answer = await run('{ broken }');
      expect(answer.data).toEqual({ broken: null });
      expect(JSON.stringify(answer)).not.toContain('hunter2');
      expect(answer.errors?.[0]).toMatchObject({
        message: expect.stringContaining('req-1'),
        extensions: { code: 'INTERNAL_SERVER_ERROR', requestId: 'req-1' },
      });
    });

    it('nulls the next nullable object around a non-null field and keeps its code', async () => {
      const { run } = setUp(mode);
      const answer = await run('{ strictlyBroken { must } me }');
      expect(answer.data).toEqual({ strictlyBroken: null, me: 'somebody in eden' });
      expect(answer.errors?.[0]).toMatchObject({
        path: ['strictlyBroken', 'must'],
        extensions: { code: 'CONFLICT' },
      });
    });

    it.each([
      ['an unknown field', '{ nothing }', {}, 'GRAPHQL_VALIDATION_FAILED'],
      ['a missing variable', 'query ($id: ID!) { plant(id: $id) { id } }', {}, 'BAD_USER_INPUT'],
      [
        'a wrong variable',
        'query ($at: DateTime!) { plantedBefore(at: $at) { at } }',
        { at: 'soon' },
        'BAD_USER_INPUT',
      ],
      [
        'no name among several operations',
        'query A { me } query B { me }',
        {},
        'OPERATION_RESOLUTION_FAILURE',
      ],
      ['a subscription where one answer is wanted', plantStream, {}, 'BAD_USER_INPUT'],
    ])('has a code and no data for %s', async (_what, query, variables, code) => {
      const { run } = setUp(mode);
      const answer = await run(query, variables);
      expect(answer.data ?? null).toBeNull();
      expect(answer.errors?.[0]?.extensions).toMatchObject({ code });
    });
  });

  describe('values', () => {
    it('converts the shared scalars in both directions', async () => {
      const { run } = setUp(mode);
      const query =
        'query ($at: DateTime!, $limit: SafeInt, $note: JSON) { plantedBefore(at: $at, limit: $limit, note: $note) { at limit note } }';
      const answer = await run(query, {
        at: '2030-05-17T10:30:00+02:00',
        limit: 2 ** 40,
        note: { deep: [1, null] },
      });
      expect(answer.data).toEqual({
        plantedBefore: { at: '2030-05-17T08:30:00.000Z', limit: 2 ** 40, note: { deep: [1, null] } },
      });
    });

    it('resolves the types of interfaces and unions', async () => {
      const { run } = setUp(mode);
      const answer = await run(
        '{ things { __typename id } beings { __typename ... on Plant { shout(times: 2) } } }',
      );
      expect(answer.data?.['things']).toHaveLength(4);
      expect(answer.data?.['beings']).toEqual([
        { __typename: 'Bed' },
        { __typename: 'Plant', shout: 'FERNFERN' },
      ]);
    });
  });

  it('runs nothing for a call that was cancelled before it began', async () => {
    const { executable, ran } = setUp(mode);
    const answer = await executable.execute({
      document: parse('{ plants { id } }'),
      principal: reader,
      requestId: 'req-1',
      signal: AbortSignal.abort(),
    });
    expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'REQUEST_CANCELLED' });
    expect(ran).toEqual([]);
  });
});

describe('compiled and interpreted execution', () => {
  const documents = [
    '{ plants { id name bed { id plants { id bed { id } } } shout } }',
    '{ a: plant(id: "1") { ...P } b: plant(id: "2") { ...P } c: plant(id: "9") { ...P } } fragment P on Plant { id name @skip(if: false) bed @include(if: false) { id } }',
    'query ($no: Boolean = true) { me @skip(if: $no) plants { __typename } }',
    '{ things { ... on Plant { name } ... on Bed { plants { name } } } beings { __typename } }',
    '{ broken strictlyBroken { must } plants { plantedAt } }',
    '{ plantedBefore(at: "2030-01-01T00:00:00Z", note: { a: [1, 2.5, "x", true, null] }) { at limit note } }',
    '{ __type(name: "Plant") { name fields { name type { name kind ofType { name } } } } }',
    'mutation { a: rename(id: "1", name: "x") { name } b: rename(id: "1", name: "y") { name } }',
    '{ plantedBefore(at: "yesterday") { at } }',
  ];

  it.each(documents)('returns the same result for %s', async (query) => {
    const [jit, interpreted] = await Promise.all(
      (['jit', 'interpreted'] as const).map((mode) => setUp(mode).run(query, {}, who('USER'))),
    );
    // The path of an error shows the field it belongs to.
    const plain = (answer: unknown): unknown =>
      JSON.parse(JSON.stringify(answer, (key, value: unknown) => (key === 'locations' ? undefined : value)));
    expect(plain(jit)).toEqual(plain(interpreted));
  });
});
