/**
 * Hand-checked cases of code against compute capability. Columns: targets (comma-separated), toolkit that made the PTX (-: not told), CUDA
 * runtime (-: not told), driver, compute capability (?: unknown), verdict, code, where it can be looked up.
 */
export const codeTargetCases = `
sm_80                - -    550.54.14 8.0  NATIVE OK                      CUDAGUIDE
sm_80                - -    550.54.14 8.6  NATIVE OK                      CUDAGUIDE
sm_80                - -    550.54.14 8.9  NATIVE OK                      CUDAGUIDE
sm_86                - -    550.54.14 8.0  NO     NO_CODE_FOR_CAPABILITY  CUDAGUIDE
sm_80                - -    550.54.14 9.0  NO     NO_CODE_FOR_CAPABILITY  CUDAGUIDE
sm_90                - -    550.54.14 8.9  NO     NO_CODE_FOR_CAPABILITY  CUDAGUIDE
sm_90                - -    570.26    10.0 NO     NO_CODE_FOR_CAPABILITY  CUDAGUIDE
sm_100               - -    570.26    10.0 NATIVE OK                      CUDAGUIDE
sm_100               - -    575.57.08 10.3 NATIVE OK                      CUDAGUIDE
sm_103               - -    575.57.08 10.0 NO     NO_CODE_FOR_CAPABILITY  CUDAGUIDE
sm_100               - -    575.57.08 12.0 NO     NO_CODE_FOR_CAPABILITY  CUDAGUIDE
sm_120               - -    575.57.08 12.1 NATIVE OK                      CUDAGUIDE
sm_90a               - -    550.54.14 9.0  NATIVE OK                      CUDAGUIDE
sm_100a              - -    575.57.08 10.0 NATIVE OK                      CUDAGUIDE
sm_100a              - -    575.57.08 10.3 NO     NO_CODE_FOR_CAPABILITY  CUDAGUIDE
sm_100f              - -    575.57.08 10.3 NATIVE OK                      CUDAGUIDE
sm_103f              - -    575.57.08 10.0 NO     NO_CODE_FOR_CAPABILITY  CUDAGUIDE
sm_120f              - -    575.57.08 12.1 NATIVE OK                      CUDAGUIDE
sm_100f              - -    575.57.08 12.0 NO     NO_CODE_FOR_CAPABILITY  CUDAGUIDE
sm_86                - -    550.54.14 8.7  NO     NO_CODE_FOR_CAPABILITY  COMMON
sm_87                - -    550.54.14 8.7  NATIVE OK                      COMMON
sm_87                - -    550.54.14 8.9  NO     NO_CODE_FOR_CAPABILITY  COMMON
sm_70                - -    550.54.14 7.5  NATIVE OK                      CUDAGUIDE
sm_75                - -    550.54.14 7.0  NO     NO_CODE_FOR_CAPABILITY  CUDAGUIDE
sm_60                - -    550.54.14 6.1  NATIVE OK                      CUDAGUIDE
sm_61                - -    550.54.14 6.0  NO     NO_CODE_FOR_CAPABILITY  CUDAGUIDE
sm_60                - -    550.54.14 7.0  NO     NO_CODE_FOR_CAPABILITY  CUDAGUIDE
sm_70,sm_80          - -    550.54.14 8.6  NATIVE OK                      CUDAGUIDE
sm_70,sm_80          - -    550.54.14 9.0  NO     NO_CODE_FOR_CAPABILITY  CUDAGUIDE
sm_80,compute_80     12.4 - 550.54.14 9.0  NATIVE OK                      CUDAGUIDE
compute_80           12.4 - 550.54.14 9.0  NATIVE OK                      CUDAGUIDE
compute_80           12.4 - 550.54.14 8.0  NATIVE OK                      CUDAGUIDE
compute_90           12.4 - 550.54.14 8.0  NO     NO_CODE_FOR_CAPABILITY  CUDAGUIDE
compute_86           12.4 - 550.54.14 8.0  NO     NO_CODE_FOR_CAPABILITY  CUDAGUIDE
compute_90a          12.4 - 570.26    10.0 NO     NO_CODE_FOR_CAPABILITY  CUDAGUIDE
compute_90a          12.4 - 550.54.14 9.0  NATIVE OK                      CUDAGUIDE
compute_100f         12.9 - 575.57.08 10.3 NATIVE OK                      CUDAGUIDE
compute_100f         12.9 - 575.57.08 12.0 NO     NO_CODE_FOR_CAPABILITY  CUDAGUIDE
compute_80           12.4 - 535.54.03 9.0  NO     PTX_TOO_NEW             CUDAMVC
compute_80           12.2 - 535.54.03 9.0  NATIVE OK                      CUDAMVC
compute_80           -    - 535.54.03 9.0  NO     PTX_TOOLKIT_UNKNOWN     CUDAMVC
compute_80           - 12.2 535.54.03 9.0  NATIVE OK                      CUDAMVC
compute_80           - 12.4 535.54.03 9.0  NO     PTX_TOO_NEW             CUDAMVC
compute_80           11.8 12.4 535.54.03 9.0  MINOR_COMPATIBLE OK_BY_MINOR_VERSION CUDAMVC
sm_90                - 12.4 535.54.03 9.0  MINOR_COMPATIBLE OK_BY_MINOR_VERSION CUDAMVC
sm_80                - 12.4 535.54.03 9.0  NO     NO_CODE_FOR_CAPABILITY  CUDAGUIDE
compute_80           12.4 - ?         9.0  NO     DRIVER_UNKNOWN          CUDAMVC
sm_90                - -    ?         9.0  NATIVE OK                      CUDAGUIDE
sm_80                - -    550.54.14 ?    NO     CAPABILITY_UNKNOWN      CUDAGUIDE
compute_80           12.4 - 550.54.14 ?    NO     CAPABILITY_UNKNOWN      CUDAGUIDE
sm_eighty            - -    550.54.14 8.0  NO     TARGET_MALFORMED        CUDAGUIDE
compute_50           11.0 - 450.51.05 8.0  NATIVE OK                      CUDAGUIDE
compute_120          12.9 - 575.57.08 12.1 NATIVE OK                      CUDAGUIDE
compute_90           12.6 12.6 570.26 10.0 NATIVE OK                      CUDAGUIDE
sm_90                - 12.6 570.26    10.0 NO     NO_CODE_FOR_CAPABILITY  CUDAGUIDE
compute_70           12.6 12.6 580.65.06 7.0 NATIVE OK                    CUDAGUIDE
compute_70           13.0 13.0 580.65.06 7.0 NO   DROPPED_CAPABILITY      CUDECOMP97
`;
