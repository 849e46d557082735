import { describe, expect, it } from '@jest/globals';
import type { RecordedAnswer } from './history.types.js';
import { answersCountFor, forgetAnswers, recordAnswer, recordedAnswers } from './records.js';

const cancelled = (jobId: string): RecordedAnswer => ({ kind: 'CANCEL', jobId });

describe('recordedAnswers', () => {
  it('has the answers of all gateways of a store, in the order in which they came', () => {
    const [first, second] = [{ url: 'http://first.test' }, { url: 'http://second.test' }];
    for (const gateway of [first, second]) answersCountFor('several', gateway);
    const answers = ['a', 'b', 'c'].map(cancelled);
    [first, second, first].forEach((gateway, at) => recordAnswer(gateway, answers[at] ?? cancelled('')));
    expect(recordedAnswers({ databaseName: 'several' })).toEqual(answers);
  });

  it('has no answers from deleted data, whose gateway has its address again', () => {
    const gateway = { url: 'http://again.test' };
    answersCountFor('reset', gateway);
    recordAnswer(gateway, cancelled('before'));
    forgetAnswers('reset');
    answersCountFor('reset', gateway);
    recordAnswer(gateway, cancelled('after'));
    expect(recordedAnswers({ databaseName: 'reset' })).toEqual([cancelled('after')]);
  });

  it('has no answers from another store that the gateway of an address had before', () => {
    const gateway = { url: 'http://moved.test' };
    answersCountFor('old', gateway);
    recordAnswer(gateway, cancelled('old'));
    answersCountFor('new', gateway);
    expect(recordedAnswers({ databaseName: 'new' })).toEqual([]);
    expect(recordedAnswers({ databaseName: 'old' })).toEqual([cancelled('old')]);
  });
});
