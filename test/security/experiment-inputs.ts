/** Inputs of the mutations of experiments, without keys. Their jobs fit no worker of the test systems. */
const transform = { step: 'EVGEN', command: ['true'], output: 'events' };
const quantum = { name: 'a', label: 'isr', dataId: 'visit=1' };

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
