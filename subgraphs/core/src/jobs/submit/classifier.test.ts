import { describe, expect, it } from '@jest/globals';
import { classifier } from './classifier.js';

const job = (expression: string) => ({
  payload: { command: '/bin/true' },
  requirements: { preferences: [{ expression }] },
});

describe('classifier', () => {
  it('classes jobs by experiment whose preferences read what was measured', () => {
    const classOf = (experiment: string) => classifier({ name: experiment })(job('measured.speed > 1.1'));
    expect(classOf('alpha').requirements).toMatchObject({ measuredIn: 'alpha' });
    expect(classOf('alpha').classId).toBe(classOf('alpha').classId);
    expect(classOf('alpha').classId).not.toBe(classOf('beta').classId);
  });

  it('gives other jobs with equal requirements one class in all experiments', () => {
    const classOf = (experiment: string) => classifier({ name: experiment })(job('queue.site == "CERN"'));
    expect(classOf('alpha')).toEqual(classOf('beta'));
    expect(classOf('alpha').requirements).not.toHaveProperty('measuredIn');
  });
});
