/** `watch_jobs`: waits for changes of jobs, and returns a cursor to go on from without a gap. */
import { can, type Principal } from '@rhizome/authz';
import type { GraphQLSchema } from 'graphql';
import type { ClientStream } from '../../streams/index.js';
import { csv } from '../results/csv.js';
import { answerResult, errorResult, textResult, type ToolResult } from '../results/tool-result.js';
import { isPlain, UntrustedTexts } from '../results/untrusted.js';
import { fits } from './document-tool.js';
import { personOf } from './rights.js';
import { givenInputs, readOnly, type Tool } from './tool.js';

/** Limits of a call. */
export const watchLimits = { waitSeconds: 25, events: 50 } as const;
/** Time without a change after which the changes so far are returned, in milliseconds. */
const idleMs = 500;
/** Least time for the subscription to open, and for changes since a cursor, in milliseconds. */
const openingMs = 5000;
const catchUpMs = 1000;

const text = `subscription ($filter: JobFilter, $after: String) {
  jobStateChanged(filter: $filter, after: $after) {
    cursor
    event { job { id name } previousState state attempt reason at }
  }
}`;

interface Change {
  readonly job: { readonly id: string; readonly name: string };
  readonly previousState: string | null;
  readonly state: string;
  readonly attempt: number;
  readonly reason: string | null;
  readonly at: string;
}

/** The tool; undefined for a graph without the stream of jobs. */
export function watchJobsTool(schema: GraphQLSchema): Tool | undefined {
  if (!fits(schema, text)) return undefined;
  const definition = {
    name: 'watch_jobs',
    title: 'Watch jobs',
    description:
      'Waits for changes of jobs and returns them with a cursor. Call it again with the cursor to miss none; by default it watches your own jobs.',
    inputSchema: {
      type: 'object',
      properties: {
        ids: { type: 'array', items: { type: 'string' }, maxItems: 100, description: 'Only these jobs.' },
        taskId: { type: 'string', description: 'Only jobs of this task.' },
        cursor: { type: 'string', description: 'Cursor of the previous call; without it, from now on.' },
        waitSeconds: { type: 'integer', minimum: 0, maximum: watchLimits.waitSeconds, default: 20 },
        maxEvents: { type: 'integer', minimum: 1, maximum: watchLimits.events, default: 20 },
      },
      additionalProperties: false,
    },
    annotations: readOnly,
  };
  return {
    definition,
    isFor: (principal) => !principal || can(principal, 'job:read'),
    call: async (given, call) => {
      const inputs = givenInputs(given, definition);
      if (typeof inputs === 'string') return errorResult(inputs);
      const { waitSeconds = 20, maxEvents = 20, cursor, ids, taskId } = inputs;
      if (!isWithin(waitSeconds, 0, watchLimits.waitSeconds))
        return errorResult(`waitSeconds: must be a number from 0 to ${watchLimits.waitSeconds}`);
      if (!isWithin(maxEvents, 1, watchLimits.events))
        return errorResult(`maxEvents: must be a whole number from 1 to ${watchLimits.events}`);
      const filter = filterOf(ids, taskId, call.principal);
      const variables = { filter, ...(cursor !== undefined && { after: cursor }) };
      const opened = await call.stream({ tool: definition.name, query: text, variables });
      if ('data' in opened) return answerResult(opened, { untrusted: [], trusted: [] });
      const forget = call.cancellation.onCancel(() => void opened.return());
      try {
        return await read(opened, {
          waitMs: waitSeconds * 1000,
          maxEvents,
          ...(typeof cursor === 'string' && { from: cursor }),
        });
      } finally {
        forget();
        await opened.return();
      }
    },
  };
}

function isWithin(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}

function filterOf(ids: unknown, taskId: unknown, principal: Principal | undefined): object {
  if (ids !== undefined) return { ids };
  if (taskId !== undefined) return { taskIds: [taskId] };
  return principal ? { owners: [personOf(principal).subject] } : {};
}

/**
 * Reads until there are enough changes, none came for a moment, or the time is over. The time starts with the
 * first message, and is long enough to read what has changed since a cursor.
 */
async function read(
  stream: ClientStream,
  {
    waitMs,
    maxEvents,
    from,
  }: { readonly waitMs: number; readonly maxEvents: number; readonly from?: string },
): Promise<ToolResult> {
  const changes: Change[] = [];
  let cursor = from;
  let end: ToolResult | undefined;
  let idle: NodeJS.Timeout | undefined;
  // Ending the stream ends the loop below.
  const stop = (): void => void stream.return();
  let deadline = setTimeout(stop, Math.max(waitMs, from === undefined ? openingMs : catchUpMs));
  let isOpen = false;
  try {
    for await (const event of stream) {
      const { data, errors = [] } = JSON.parse(event.text) as StreamMessage;
      if (errors.length > 0) {
        end = answerResult({ data: null, errors }, { untrusted: [], trusted: [] });
        break;
      }
      if (!isOpen) {
        isOpen = true;
        clearTimeout(deadline);
        deadline = setTimeout(stop, Math.max(waitMs, from === undefined ? 0 : catchUpMs));
      }
      cursor = data?.jobStateChanged?.cursor ?? cursor;
      const change = data?.jobStateChanged?.event;
      if (!change) continue;
      changes.push(change);
      if (changes.length >= maxEvents) break;
      clearTimeout(idle);
      idle = setTimeout(stop, idleMs);
    }
  } finally {
    clearTimeout(deadline);
    clearTimeout(idle);
  }
  if (cursor === undefined)
    return end ?? errorResult('SERVICE_UNAVAILABLE: the stream of jobs did not open; try again');
  if (end && changes.length === 0) return end;
  const result = changesResult(changes, cursor);
  // The changes were delivered; the reason of the end follows them.
  return end ? { ...result, content: [...result.content, ...end.content] } : result;
}

interface StreamMessage {
  readonly data?: {
    readonly jobStateChanged: { readonly cursor: string; readonly event: Change | null } | null;
  };
  readonly errors?: Parameters<typeof answerResult>[0]['errors'];
}

function changesResult(changes: readonly Change[], cursor: string): ToolResult {
  const texts = new UntrustedTexts();
  const judged = (value: string | null): string | null =>
    value === null || isPlain(value) ? value : texts.add(value);
  const rows = changes.map(
    ({ job, previousState, state, attempt, reason, at }) =>
      new Map<string, string | number | null>([
        ['job', job.id],
        ['name', judged(job.name)],
        ['from', previousState],
        ['to', state],
        ['attempt', attempt],
        ['at', at],
        ['reason', judged(reason)],
      ]),
  );
  const head = `# changes: ${changes.length}; cursor: ${JSON.stringify(cursor)}`;
  return textResult(rows.length === 0 ? head : `${head}\n${csv(rows)}`, texts.block());
}
