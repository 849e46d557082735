/** Time for which workers collect the output of a payload before they send it, in milliseconds. */
export const usualLogIntervalMs = 200;
