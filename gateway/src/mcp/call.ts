/** One call of a client of the MCP endpoint: who calls, and how its operations run. */
import type { Principal } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { Cancellation, type ExecutionText, type OperationInfo } from '@rhizome/federation';
import type { GraphQLFormattedError } from 'graphql';
import type { Operations } from '../handlers/index.js';
import type { ClientStream } from '../streams/index.js';
import type { GraphAnswer } from './results/tool-result.js';

/** Facts of a call. */
export interface McpCallInit {
  readonly operations: Pick<Operations, 'run'>;
  /** The caller without its token; undefined if authentication is disabled. */
  readonly principal: Principal | undefined;
  readonly address: string;
  readonly requestId: string;
  /** Bytes of the body. */
  readonly bytes: number;
  /** Headers of distributed tracing. */
  readonly headers: Readonly<Record<string, string>> | undefined;
  /** Ends when the client disconnects, or when its token ends. */
  readonly cancellation: Cancellation;
}

/** An operation of a tool. */
export interface ToolOperation {
  /** Name of the tool, which the audit log and the recorded use of the schema name as the client. */
  readonly tool: string;
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
  /** Returns an error for an operation that the tool does not run. */
  readonly admit?: ((operation: OperationInfo) => DomainError | undefined) | undefined;
  /** Time after which it is cancelled, in milliseconds; default: that of its calls to subgraphs. */
  readonly timeoutMs?: number | undefined;
}

/** Runs operations as the caller, within all limits of GraphQL calls. */
export class McpCall {
  readonly #init: McpCallInit;

  constructor(init: McpCallInit) {
    this.#init = init;
  }

  get principal(): Principal | undefined {
    return this.#init.principal;
  }

  get cancellation(): Cancellation {
    return this.#init.cancellation;
  }

  /** Runs a query or a mutation. Rejects only with the reason that ended the call. */
  async run(operation: ToolOperation): Promise<GraphAnswer> {
    const { timeoutMs } = operation;
    if (timeoutMs === undefined) return answerOf(await this.#run(operation, 'operation'));
    const { cancellation } = this.#init;
    const text = `The operation took longer than ${timeoutMs} ms; ask for less`;
    const late = new DomainError('REQUEST_TIMEOUT', text);
    const limited = new Cancellation();
    const forget = cancellation.onCancel((reason) => limited.cancel(reason));
    const timer = setTimeout(() => limited.cancel(late), timeoutMs);
    try {
      return answerOf(await this.#run(operation, 'operation', limited));
    } catch (error) {
      if (error !== late) throw error;
      return failed(late);
    } finally {
      clearTimeout(timer);
      forget();
    }
  }

  /** Opens a stream, or returns the answer that refuses it. */
  async stream(operation: ToolOperation): Promise<ClientStream | GraphAnswer> {
    const ran = await this.#run(operation, 'stream');
    return ran instanceof Answered ? ran.answer : ran;
  }

  #run(
    { tool, query, variables, admit }: ToolOperation,
    wanted: 'operation' | 'stream',
    cancellation: Cancellation = this.#init.cancellation,
  ): Promise<Answered | ClientStream> {
    const { operations, ...init } = this.#init;
    const request = { ...init, cancellation, isMetered: true };
    const answered = (text: ExecutionText): Answered => new Answered(parsed(text));
    return operations.run<Answered | ClientStream>(
      {
        ...request,
        query,
        variables,
        operationName: undefined,
        client: { name: `mcp/${tool}`, version: '1' },
      },
      {
        refused: answered,
        answered,
        streamed: (stream) => stream,
        admit: (operation) => admit?.(operation) ?? misplaced(operation, wanted),
      },
    );
  }
}

class Answered {
  readonly answer: GraphAnswer;

  constructor(answer: GraphAnswer) {
    this.answer = answer;
  }
}

function misplaced({ kind }: OperationInfo, wanted: 'operation' | 'stream'): DomainError | undefined {
  if ((kind === 'subscription') === (wanted === 'stream')) return undefined;
  return new DomainError('BAD_REQUEST', `query: a ${kind} cannot run here; must be a query`, {
    field: 'query',
  });
}

function parsed({ text }: ExecutionText): GraphAnswer {
  const { data = null, errors = [] } = JSON.parse(text) as {
    readonly data?: GraphAnswer['data'];
    readonly errors?: readonly GraphQLFormattedError[];
  };
  return { data, errors };
}

function answerOf(ran: Answered | ClientStream): GraphAnswer {
  if (ran instanceof Answered) return ran.answer;
  void ran.return();
  return failed(new DomainError('BAD_REQUEST', 'query: a subscription cannot run here'));
}

function failed({ message, code }: DomainError): GraphAnswer {
  return { data: null, errors: [{ message, extensions: { code } }] };
}
