import { describe, expect, it } from '@jest/globals';
import { DomainError } from '@rhizome/errors';
import { silentLogger } from '@rhizome/log';
import { failureAnswer } from './answers.js';

describe('failureAnswer', () => {
  const answerOf = (error: unknown) => failureAnswer(error, silentLogger());

  it('blames the client for a body that arrives too slowly, and no other timeout', () => {
    const slow = new DomainError('REQUEST_TIMEOUT', 'body: incomplete after 30 s', { field: 'body' });
    expect(answerOf(slow)).toMatchObject({ status: 408, body: { error: 'invalid_request' } });
    expect(answerOf(new DomainError('REQUEST_TIMEOUT', 'slow service')).status).toBe(504);
  });

  it('says when to retry a request that exceeds a rate', () => {
    const limited = new DomainError('LIMIT_EXCEEDED', 'wait', { retryAfterSeconds: 7 });
    expect(answerOf(limited)).toMatchObject({
      status: 429,
      body: { error: 'temporarily_unavailable' },
      headers: { 'retry-after': '7' },
    });
  });
});
