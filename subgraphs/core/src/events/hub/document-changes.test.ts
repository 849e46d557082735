import { describe, expect, it } from '@jest/globals';
import type { UnitCompletionDocument } from '../../units/blocks/unit-completion.document.js';
import type { DocumentStream } from '../feed/document-feed.js';
import { DocumentChanges } from './document-changes.js';
import type { StreamStart, SubscriptionGuard } from './subscription-guard.js';

describe('a stream of documents that is resumed', () => {
  it('reads 16 documents at a time, as its consumer takes them', async () => {
    const written = Array.from({ length: 40 }, (_, at) => ({
      ...{ token: `${at}`, collection: 'unitCompletions', id: `completion_x.${at}` },
    }));
    const { signal } = new AbortController();
    const guard = {
      through: (_after: unknown, _signal: unknown, stream: (start: StreamStart) => unknown) =>
        stream({ position: '', isResumed: true, signal }),
    };
    const documents = {
      async *follow() {
        yield await Promise.resolve({ written, position: '39' });
      },
    };
    const changes = new DocumentChanges(
      guard as unknown as SubscriptionGuard,
      documents as unknown as DocumentStream,
    );
    const reads: number[] = [];
    const seen: string[] = [];
    for await (const { token } of changes.parts({
      ...{ collection: 'unitCompletions', after: 'a cursor', signal },
      isWanted: () => true,
      check: () => Promise.resolve(),
      read: (ids: readonly string[]) => {
        reads.push(ids.length);
        return Promise.resolve(ids.map((_id) => ({ _id }) as UnitCompletionDocument));
      },
    })) {
      if (seen.length === 0) expect(reads).toEqual([16]);
      seen.push(token);
    }
    expect(reads).toEqual([16, 16, 8]);
    expect(seen).toEqual(written.map(({ token }) => token));
  });
});
