import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { codesOf, type HttpAnswer, send } from '../testing/post.js';
import { startTestSystem, type TestSystem } from '../testing/test-system.js';

// `fails` is tagged `pilot`.
const query = '{ __type(name: "Query") { fields { name } } }';
let system: TestSystem;
let headers: Record<string, string>;

beforeAll(async () => {
  system = await startTestSystem();
  headers = await system.bearer();
});

afterAll(() => system.served.close());

function ask(extensions?: object, document = query): Promise<HttpAnswer> {
  return send(system.served.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query: document, extensions }),
  });
}

function fieldsOf({ body }: HttpAnswer): readonly string[] {
  const { __type } = body.data as { __type: { fields: readonly { name: string }[] } };
  return __type.fields.map(({ name }) => name);
}

describe('extensions.withoutTags', () => {
  it('leaves tagged root fields out of introspection', async () => {
    const fields = fieldsOf(await ask({ withoutTags: ['pilot'] }));
    expect(fields).toContain('items');
    expect(fields).not.toContain('fails');
  });

  it('is off by default', async () => {
    expect(fieldsOf(await ask())).toContain('fails');
  });

  it('separates equal requests that run at the same time', async () => {
    const document = `query Again ${query}`;
    const [whole, part] = await Promise.all([ask({}, document), ask({ withoutTags: ['pilot'] }, document)]);
    expect(fieldsOf(whole)).toContain('fails');
    expect(fieldsOf(part)).not.toContain('fails');
  });

  it('works over GET', async () => {
    const search = new URLSearchParams({ query, extensions: '{"withoutTags":["pilot"]}' });
    const answer = await send(`${system.served.url}?${search.toString()}`, { headers });
    expect(fieldsOf(answer)).not.toContain('fails');
  });

  it('does not change execution', async () => {
    const answer = await ask({ withoutTags: ['pilot'] }, '{ fails items { id } }');
    expect(answer.body.data).toMatchObject({ items: expect.any(Array) });
    expect(codesOf(answer)).not.toContain('GRAPHQL_VALIDATION_FAILED');
  });

  it.each([['pilot'], [[1]], [{}]])('refuses %j, which is not a list of strings', async (withoutTags) => {
    const answer = await ask({ withoutTags });
    expect(answer.status).toBe(400);
    expect(codesOf(answer)).toEqual(['BAD_REQUEST']);
    expect(answer.body.errors?.[0]?.message).toMatch(
      /^extensions\.withoutTags: .* is not a list of strings$/,
    );
  });
});
