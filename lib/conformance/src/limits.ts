import { announceBody, type Answer, type EndpointClient, errorText } from './endpoint-client.js';
import { queryEntities } from './entities.js';
import { CheckFailed, type Check, CheckSkipped } from './types.js';

/** It bounds what it takes, says clearly what is wrong, and lives on. */
export function limitChecks(endpoint: EndpointClient): readonly Check[] {
  return [
    {
      part: 'limits',
      promise: 'a request body of one gigabyte is rejected before it is read',
      run: async () => {
        const { url, timeoutMs = 10_000 } = endpoint.contract;
        const status = await announceBody(url, await endpoint.token(), 1 << 30, timeoutMs);
        if (status === null || (status >= 400 && status < 500)) return `${status ?? 'connection closed'}`;
        throw new CheckFailed(`${status}`, 'check content-length and return 413');
      },
    },
    refusal(endpoint, 'a body that is not JSON', () => endpoint.send('{"query": ')),
    refusal(endpoint, 'a body without an operation', () => endpoint.send('{"nothing": true}')),
    refusal(endpoint, 'text that is not GraphQL', () => endpoint.execute({ query: '{ __typename ' })),
    refusal(endpoint, 'an unknown field', () => endpoint.execute({ query: '{ fieldThatIsNowhere }' })),
    refusal(endpoint, 'a document nested 5,000 deep', () => endpoint.execute({ query: deep(5000) })),
    {
      part: 'limits',
      promise: 'ten thousand representations are resolved completely or rejected',
      run: async () => {
        const [[type, entity] = []] = Object.entries(endpoint.contract.entities ?? {});
        const [known] = entity?.representations ?? [];
        if (!type || !entity || !known) throw new CheckSkipped('needs an entity');
        const answer = await queryEntities(
          endpoint,
          type,
          entity,
          Array.from({ length: 10_000 }, () => known),
        );
        const list = answer.json?.data?.['_entities'];
        if (Array.isArray(list) && list.length === 10_000) return 'resolved completely';
        if (answer.json?.errors?.length && answer.status < 500)
          return `rejected: ${errorText(answer.json, '')}`;
        throw new CheckFailed(
          `${answer.status}: ${errorText(answer.json, answer.text)}`,
          'resolve all, or return an error with a code',
        );
      },
    },
    {
      part: 'limits',
      promise: 'the endpoint is healthy after these requests',
      run: async () => {
        const { status } = await endpoint.get('/healthz');
        if (status === 200) return '200';
        throw new CheckFailed(String(status), 'keep running after invalid requests');
      },
    },
  ];
}

const internals = /Traceback|\bat \/|\.py", line|node_modules|\bstack(trace)?"/i;

function refusal(endpoint: EndpointClient, what: string, send: () => Promise<Answer>): Check {
  return {
    part: 'limits',
    promise: `${what} is rejected with a clear error, without internals`,
    run: async () => {
      const answer = await send();
      if (internals.test(answer.text))
        throw new CheckFailed(
          `internals in the response: ${errorText(answer.json, answer.text)}`,
          'mask stack traces and file paths',
        );
      if (answer.status < 500 && answer.json?.errors?.length && !answer.json.data)
        return errorText(answer.json, '');
      if (answer.status >= 400 && answer.status < 500)
        return `${answer.status}: ${errorText(answer.json, answer.text)}`;
      throw new CheckFailed(
        `${answer.status}: ${errorText(answer.json, answer.text)}`,
        'return `errors`, not a server error',
      );
    },
  };
}

function deep(levels: number): string {
  return `${'{ a '.repeat(levels)}${'}'.repeat(levels)}`;
}
