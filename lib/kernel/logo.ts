/** The kernel's picture in launchers and notebooks: the letters TS. Drawn, not set: no font is needed. */
export const logoSvg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">
  <rect width="64" height="64" rx="10" fill="#3178c6"/>
  <g fill="none" stroke="#fff" stroke-width="6">
    <path d="M8 28h24M20 25v29"/>
    <path d="M55 32c-2-4-6-5-10-5-5 0-8 2-8 6 0 4 4 5 9 7s9 4 9 8c0 5-5 6-10 6-4 0-8-2-10-6"/>
  </g>
</svg>
`;
