import { centreOffset, cropSideOf } from '../geometry';
import type { ChannelTriple } from '../store';

/**
 * Mean and standard deviation of each channel over the centre crops of many source squares, in 0..1.
 *
 * It counts how often each value occurs, which is exact: the result is the same whatever the order of the images.
 */
export class ChannelStatistics {
  private readonly counts = [0, 1, 2].map(() => new Float64Array(256));

  /** @param side - side of the source squares in pixels */
  constructor(private readonly side: number) {}

  /** @param square - `[side, side, 3]` */
  add(square: Uint8Array): void {
    const [red, green, blue] = this.counts;
    const crop = cropSideOf(this.side);
    const offset = centreOffset(this.side, crop);
    for (let row = offset; row < offset + crop; row++) {
      const start = (row * this.side + offset) * 3;
      for (let index = start; index < start + crop * 3; index += 3) {
        red[square[index]]++;
        green[square[index + 1]]++;
        blue[square[index + 2]]++;
      }
    }
  }

  result(): { readonly mean: ChannelTriple; readonly deviation: ChannelTriple } {
    const pixels = this.counts[0].reduce((sum, count) => sum + count);
    const mean = (power: number) => (channel: number) =>
      this.counts[channel].reduce((sum, count, value) => sum + count * value ** power, 0) /
      pixels /
      255 ** power;
    const [first, second] = [mean(1), mean(2)];
    const perChannel = (of: (channel: number) => number): ChannelTriple => [of(0), of(1), of(2)];
    return {
      mean: perChannel(first),
      deviation: perChannel((channel) => Math.sqrt(Math.max(0, second(channel) - first(channel) ** 2))),
    };
  }
}
