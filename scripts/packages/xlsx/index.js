const missing = () => {
  throw new Error('danfo reads and writes no spreadsheets here: take CSV.');
};

module.exports = { read: missing, readFile: missing, utils: { aoa_to_sheet: missing } };
