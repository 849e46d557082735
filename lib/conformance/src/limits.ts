import { announceBody, type Answer, type EndpointClient, errorText } from './endpoint-client.js';
import { queryEntities } from './entities.js';
import { Broken, type Check, Skipped } from './types.js';

/** It bounds what it takes, says clearly what is wrong, and lives on. */
export function limitChecks(endpoint: EndpointClient): readonly Check[] {
  return [
    {
      part: 'limits',
      promise: 'a body of a gigabyte is refused before it is read',
      run: async () => {
        const { url, token, timeoutMs = 10_000 } = endpoint.contract;
        const status = await announceBody(url, token, 1 << 30, timeoutMs);
        if (status === null || (status >= 400 && status < 500)) return `answered ${status ?? 'by closing'}`;
        throw new Broken(`answered ${status}`, 'refuse by content-length with 413');
      },
    },
    refusal(endpoint, 'a body that is no JSON', () => endpoint.send('{"query": ')),
    refusal(endpoint, 'a body that is no operation', () => endpoint.send('{"nothing": true}')),
    refusal(endpoint, 'text that is no GraphQL', () => endpoint.execute({ query: '{ __typename ' })),
    refusal(endpoint, 'a field that is not there', () =>
      endpoint.execute({ query: '{ fieldThatIsNowhere }' }),
    ),
    refusal(endpoint, 'a document nested 5,000 deep', () => endpoint.execute({ query: deep(5000) })),
    {
      part: 'limits',
      promise: 'ten thousand representations are answered in full or refused',
      run: async () => {
        const [[type, entity] = []] = Object.entries(endpoint.contract.entities ?? {});
        const [known] = entity?.representations ?? [];
        if (!type || !entity || !known) throw new Skipped('needs an entity');
        const answer = await queryEntities(
          endpoint,
          type,
          entity,
          Array.from({ length: 10_000 }, () => known),
        );
        const list = answer.json?.data?.['_entities'];
        if (Array.isArray(list) && list.length === 10_000) return 'answered in full';
        if (answer.json?.errors?.length && answer.status < 500)
          return `refused: ${errorText(answer.json, '')}`;
        throw new Broken(
          `${answer.status}: ${errorText(answer.json, answer.text)}`,
          'answer all, or refuse with a code',
        );
      },
    },
    {
      part: 'limits',
      promise: 'after all that it is healthy',
      run: async () => {
        const { status } = await endpoint.get('/healthz');
        if (status === 200) return '200';
        throw new Broken(String(status), 'survive what callers send');
      },
    },
  ];
}

const internals = /Traceback|\bat \/|\.py", line|node_modules|\bstack(trace)?"/i;

function refusal(endpoint: EndpointClient, what: string, send: () => Promise<Answer>): Check {
  return {
    part: 'limits',
    promise: `${what} is refused clearly, without internals`,
    run: async () => {
      const answer = await send();
      if (internals.test(answer.text))
        throw new Broken(
          `internals show: ${errorText(answer.json, answer.text)}`,
          'mask stacks and paths of files',
        );
      if (answer.status < 500 && answer.json?.errors?.length && !answer.json.data)
        return errorText(answer.json, '');
      if (answer.status >= 400 && answer.status < 500)
        return `${answer.status}: ${errorText(answer.json, answer.text)}`;
      throw new Broken(
        `${answer.status}: ${errorText(answer.json, answer.text)}`,
        'answer with `errors`, and no server error',
      );
    },
  };
}

function deep(levels: number): string {
  return `${'{ a '.repeat(levels)}${'}'.repeat(levels)}`;
}
