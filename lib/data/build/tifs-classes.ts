/** A class of ImageNet. */
export interface ImagenetClass {
  /** WordNet id, the name of the class's folder in ImageNet. */
  readonly wnid: string;
  /** Its number in the ILSVRC2012 development kit, 1 to 1000, by which the ground truth file names it. */
  readonly ilsvrcId?: number;
  readonly name: string;
}

/** One of the 200 classes of Tiny ImageNet, which are also those of TIFS (paper, Section 4.1). */
export type TifsClass = Required<ImagenetClass>;

const TABLE = `
n01443537 450 goldfish
n01629819 494 European fire salamander
n01641577 499 bullfrog
n01644900 501 tailed frog
n01698640 476 American alligator
n01742172 486 boa constrictor
n01768244 601 trilobite
n01770393 603 scorpion
n01774384 607 black widow
n01774750 608 tarantula
n01784675 611 centipede
n01855672 420 goose
n01882714 213 koala
n01910747 647 jellyfish
n01917289 649 brain coral
n01944390 653 snail
n01945685 654 slug
n01950731 655 sea slug
n01983481 617 American lobster
n01984695 618 spiny lobster
n02002724 423 black stork
n02056570 440 king penguin
n02058221 441 albatross
n02074367 193 dugong
n02085620 173 Chihuahua
n02094433 59 Yorkshire terrier
n02099601 125 golden retriever
n02099712 176 Labrador retriever
n02106662 211 German shepherd
n02113799 151 standard poodle
n02123045 174 tabby
n02123394 10 Persian cat
n02124075 8 Egyptian cat
n02125311 11 cougar
n02129165 190 lion
n02132136 61 brown bear
n02165456 622 ladybug
n02190166 629 fly
n02206856 630 bee
n02226429 631 grasshopper
n02231487 633 walking stick
n02233338 634 cockroach
n02236044 635 mantis
n02268443 639 dragonfly
n02279972 643 monarch
n02281406 645 sulphur butterfly
n02321529 658 sea cucumber
n02364673 101 guinea pig
n02395406 147 hog
n02403003 108 ox
n02410509 165 bison
n02415577 52 bighorn
n02423022 12 gazelle
n02437312 121 Arabian camel
n02480495 83 orangutan
n02481823 96 chimpanzee
n02486410 137 baboon
n02504458 24 African elephant
n02509815 7 lesser panda
n02666196 547 abacus
n02669723 896 academic gown
n02699494 677 altar
n02730930 845 apron
n02769748 847 backpack
n02788148 718 bannister
n02791270 705 barbershop
n02793495 683 barn
n02795169 905 barrel
n02802426 908 basketball
n02808440 884 bathtub
n02814533 266 beach wagon
n02814860 733 beacon
n02815834 991 beaker
n02823428 777 beer bottle
n02837789 985 bikini
n02841315 533 binoculars
n02843684 839 birdhouse
n02883205 817 bow tie
n02892201 716 brass
n02906734 851 broom
n02909870 820 bucket
n02917067 887 bullet train
n02927161 707 butcher shop
n02948072 591 candle
n02950826 539 cannon
n02963159 836 cardigan
n02977058 548 cash machine
n02988304 987 CD player
n02999410 827 chain
n03014705 762 chest
n03026506 801 Christmas stocking
n03042490 713 cliff dwelling
n03085013 543 computer keyboard
n03089624 708 confectionery
n03100240 268 convertible
n03126707 545 crane
n03160309 720 dam
n03179701 313 desk
n03201208 315 dining table
n03250847 799 drumstick
n03255030 1000 dumbbell
n03355925 995 flagpole
n03388043 712 fountain
n03393912 256 freight car
n03400231 671 frying pan
n03404251 757 fur coat
n03424325 971 gasmask
n03444034 275 go-kart
n03447447 236 gondola
n03544143 525 hourglass
n03584254 980 iPod
n03599486 294 jinrikisha
n03617480 770 kimono
n03637318 814 lampshade
n03649909 374 lawn mower
n03662601 238 lifeboat
n03670208 270 limousine
n03706229 532 magnetic compass
n03733131 598 maypole
n03763968 866 military uniform
n03770439 880 miniskirt
n03796401 284 moving van
n03804744 585 nail
n03814639 595 neck brace
n03837869 699 obelisk
n03838899 354 oboe
n03854065 333 organ
n03891332 527 parking meter
n03902125 843 pay-phone
n03930313 722 picket fence
n03937543 901 pill bottle
n03970156 378 plunger
n03976657 923 pole
n03977966 285 police van
n03980874 855 poncho
n03983396 788 pop bottle
n03992509 566 potter's wheel
n04008634 542 projectile
n04023962 846 punching bag
n04067472 570 reel
n04070727 668 refrigerator
n04074963 578 remote control
n04099969 310 rocking chair
n04118538 876 rugby ball
n04133789 751 sandal
n04146614 962 school bus
n04149813 729 scoreboard
n04179913 559 sewing machine
n04251144 507 snorkel
n04254777 986 sock
n04259630 925 sombrero
n04265275 515 space heater
n04275548 600 spider web
n04285008 274 sports car
n04311004 680 steel arch bridge
n04328186 528 stopwatch
n04356056 535 sunglasses
n04366367 681 suspension bridge
n04371430 945 swimming trunks
n04376876 531 syringe
n04398044 675 teapot
n04399382 786 teddy
n04417672 989 thatch
n04456115 594 torch
n04465501 289 tractor
n04486054 678 triumphal arch
n04487081 882 trolleybus
n04501370 727 turnstile
n04507155 220 umbrella
n04532106 790 vestment
n04532670 682 viaduct
n04540053 936 volleyball
n04560804 819 water jug
n04562935 795 water tower
n04596742 672 wok
n04597913 951 wooden spoon
n06596364 930 comic book
n07579787 754 plate
n07583066 813 guacamole
n07614500 974 ice cream
n07615774 968 ice lolly
n07695742 975 pretzel
n07711569 734 mashed potato
n07715103 738 cauliflower
n07720875 735 bell pepper
n07734744 746 mushroom
n07747607 319 orange
n07749582 320 lemon
n07753592 323 banana
n07768694 326 pomegranate
n07871810 806 meat loaf
n07873807 948 pizza
n07875152 830 potpie
n07920052 947 espresso
n09193705 361 alp
n09246464 359 cliff
n09256479 365 coral reef
n09332890 366 lakeside
n09428293 367 seashore
n12267677 327 acorn
`;

/** In the order of their labels: label i is `TIFS_CLASSES[i]`. */
export const TIFS_CLASSES: readonly TifsClass[] = TABLE.trim()
  .split('\n')
  .map((row) => {
    const [wnid, ilsvrcId, ...words] = row.split(' ');
    return { wnid, ilsvrcId: Number(ilsvrcId), name: words.join(' ') };
  });
