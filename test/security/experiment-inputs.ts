/** Inputs of the mutations of experiments, without keys. Their jobs fit no worker of the test systems. */
const transform = { step: 'EVGEN', command: ['true'], output: 'events' };
const quantum = { name: 'a', label: 'isr', dataId: 'visit=1' };

/** Inputs of further mutations about the live run 7 of epic, by mutation. */
export const liveRunInputs: Readonly<Record<string, () => object>> = {
  announceEpicLiveRun: () => ({
    ...{ runNumber: 7, detectorConfiguration: 'epic', settleSeconds: 0 },
    paths: [{ name: 'FAST', command: 'true', cores: 4000, maxWorkers: 1 }],
  }),
  announceEpicRunState: () => ({
    ...{ runNumber: 7, facet: 'MACHINE', state: 'BEAM', at: '2026-01-01T00:00:00.000Z' },
  }),
  announceEpicTimeFrames: () => ({
    runNumber: 7,
    frames: [{ number: 1, location: 'x', bytes: 1, recordedAt: '2026-01-01T00:00:00.000Z' }],
  }),
  setEpicSiteFeed: () => ({ site: 'POLE', isHeld: false, reason: 'test' }),
};

/** By mutation. */
export const experimentInputs: Readonly<Record<string, () => object>> = {
  submitAtlasTask: () => ({
    ...{ campaign: 'mc23e', requestId: 1, physicsShort: 'Zmumu', totalEvents: 10, eventsPerJob: 5 },
    ...{ transforms: [transform], cores: 4000 },
  }),
  submitEpicRun: () => ({
    ...{ runNumber: 7, detectorConfiguration: 'epic', superTimeFrames: 10, framesPerGroup: 5 },
    ...{ command: 'true', cores: 4000 },
  }),
  submitRubinWorkflow: () => ({
    ...{ name: 'u/x', pipeline: 'DRP', command: 'true', memoryMiB: 900_000 },
    quanta: [quantum, { ...quantum, name: 'b', needs: ['a'] }],
  }),
  submitLarkspurObservation: () => ({
    ...{ field: 'LK-042', band: 'RED', exposures: 2, exposureSeconds: 30, command: 'true' },
    calibration: 'none',
  }),
};
